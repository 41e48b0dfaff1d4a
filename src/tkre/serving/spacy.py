"""The classifier as a component of a spaCy pipeline (extra ``spacy``).

    nlp.add_pipe("tkre_relations", config={"classifier": "path/to/classifier"})
    nlp("Ada was born in London.")._.relations

It labels every ordered pair of entities (``doc.ents``) within a sentence; so a component that finds
entities must come before it, and one that finds sentences should. An entry point registers it.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from pathlib import Path
from typing import Any, Literal

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import minibatch, raise_error

from tkre.core.instance import Instance
from tkre.core.instance import Span as Characters
from tkre.corpora.records import instance_problem, type_problem
from tkre.serving.extractor import CALIBRATOR_FILE, Prediction, RelationExtractor, newest_version

logger = logging.getLogger(__name__)

FACTORY = "tkre_relations"
_STORED = "tkre_relations"  # key in ``doc.user_data``; plain values, as a DocBin holds them


@dataclass(frozen=True)
class Relation:
    """Predicted relation between two entities of a document (fields as in ``Prediction``)."""

    head: Span
    tail: Span
    label: str | None
    probability: float
    abstained: bool
    guess: str
    # Missing in documents of an older version:
    truncated: bool = False
    verdict: str = ""
    untyped: bool = False


class RelationComponent:
    """Sets ``doc._.relations``; ``make_relations`` describes the settings.

    A missing folder is an error on first use: a pipeline loaded from disk brings its own.
    """

    def __init__(
        self,
        name: str,
        classifier: str,
        calibrator: str | Literal[False] | None,
        wanted_precision: float | None,
        types: dict[str, str | None] | None,
        keep_negative: bool,
        natural: bool | None,
    ) -> None:
        self.name = name
        self._folder, self._calibrator = Path(classifier), calibrator
        self._wanted_precision = wanted_precision
        self._types = types
        self._keep_negative = keep_negative
        self._natural = natural
        self._warned = False
        self._on_error: Callable[..., None] = raise_error
        if self._folder.is_dir():
            self._check_types(self.extractor)

    @cached_property
    def extractor(self) -> RelationExtractor:
        """The classifier, loaded on first use."""
        return RelationExtractor.from_pretrained(
            self._folder, calibrator=self._calibrator, wanted_precision=self._wanted_precision,
            natural=self._natural,
        )  # fmt: skip

    def __call__(self, doc: Doc) -> Doc:
        """Set the relations of one document."""
        self._set([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 128) -> Iterator[Doc]:
        """Set the relations of many documents; pairs of a batch are labelled together."""
        for docs in minibatch(stream, size=batch_size):
            try:
                self._set(docs)
            except Exception as error:
                self._on_error(self.name, self, docs, error)
            else:
                yield from docs

    def set_error_handler(self, handler: Callable[..., None]) -> None:
        """Set the handler of documents that cannot be read; spaCy's default raises."""
        self._on_error = handler

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Copy the classifier into the folder of the component; ``exclude`` is ignored."""
        extractor, folder = self.extractor, Path(path)
        source = newest_version(self._folder)
        if source.resolve() == folder.resolve():
            return
        shutil.copytree(source, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)
        if extractor.calibrator is not None:
            text = extractor.calibrator.model_dump_json(indent=2)
            (folder / CALIBRATOR_FILE).write_text(text + "\n", encoding="utf-8")

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> RelationComponent:
        """Use the classifier that ``to_disk`` copied; ``exclude`` is ignored."""
        self._folder = Path(path)
        self._calibrator = False if self._calibrator is False else None
        self.__dict__.pop("extractor", None)
        self._check_types(self.extractor)
        return self

    def _set(self, docs: list[Doc]) -> None:
        pairs = [pair for doc in docs for pair in self._pairs(doc) if self._is_good(pair)]
        predictions = self.extractor.stream(_instance(*pair) for pair in pairs)
        found: dict[int, list[list[Any]]] = {id(doc): [] for doc in docs}
        for (sentence, head, tail), prediction in zip(pairs, predictions, strict=True):
            if self._keep_negative or prediction.relation != self.extractor.negative:
                found[id(sentence.doc)].append(_stored(head, tail, prediction))
        for doc in docs:
            doc.user_data[_STORED] = found[id(doc)]

    def _pairs(self, doc: Doc) -> Iterator[_Pair]:
        """Sentences with each ordered pair of their entities and the types."""
        if doc.has_annotation("SENT_START"):
            sentences: Iterable[Span] = doc.sents
        else:
            self._warn_no_sentences()
            sentences = [doc[:]]
        entities = [(e, *self._type(e)) for e in doc.ents]
        for sentence in sentences:
            within = [
                (entity, kind)
                for entity, wanted, kind in entities
                if wanted and sentence.start <= entity.start and entity.end <= sentence.end
            ]
            for head, tail in permutations(within, 2):
                yield sentence, head, tail

    def _is_good(self, pair: _Pair) -> bool:
        """Whether a pair may be labelled; the reason is logged for one that may not."""
        problem = instance_problem(_instance(*pair), self.extractor.entity_types)
        if problem:
            logger.warning("%s: a pair of entities is left out: %s", self.name, problem)
        return problem is None

    def _type(self, entity: Span) -> tuple[bool, str | None]:
        """Whether an entity is paired, and its type."""
        if self._types is None:
            return True, None
        return entity.label_ in self._types, self._types.get(entity.label_)

    def _check_types(self, extractor: RelationExtractor) -> None:
        known = extractor.entity_types
        for label, kind in (self._types or {}).items():
            problem = type_problem(f"types.{label}", kind, known)
            if problem:
                raise ValueError(f"{self.name}: {problem} of the classifier in {self._folder}")

    def _warn_no_sentences(self) -> None:
        if not self._warned:
            self._warned = True
            logger.warning(
                "%s: documents have no sentence boundaries, so all their entities are paired; "
                'nlp.add_pipe("sentencizer") before it finds some', self.name,
            )  # fmt: skip


_Mention = tuple[Span, str | None]  # an entity and its type in the classifier's schema
_Pair = tuple[Span, _Mention, _Mention]  # with the sentence before it


def _instance(sentence: Span, head: _Mention, tail: _Mention) -> Instance:
    start = sentence.start_char
    first, second = (
        Characters(entity.start_char - start, entity.end_char - start) for entity, _ in (head, tail)
    )
    return Instance("", sentence.text, first, second, head_type=head[1], tail_type=tail[1])


def _stored(head: _Mention, tail: _Mention, prediction: Prediction) -> list[Any]:
    sides = [[entity.start, entity.end, entity.label_] for entity, _ in (head, tail)]
    return [*sides, prediction.relation, prediction.probability, prediction.guess,
            prediction.truncated, prediction.verdict, prediction.untyped]  # fmt: skip


def _relations(doc: Doc) -> list[Relation]:
    return [
        Relation(_span(doc, head), _span(doc, tail), label, probability, label is None, *rest)
        for head, tail, label, probability, *rest in doc.user_data.get(_STORED, [])
    ]


def _span(doc: Doc, side: list[Any]) -> Span:
    start, end, label = side
    return Span(doc, start, end, label=label)


@Language.factory(
    FACTORY,
    assigns=["doc._.relations"],
    requires=["doc.ents"],
    default_config={
        "calibrator": None,
        "wanted_precision": None,
        "types": None,
        "keep_negative": False,
        "natural": None,
    },
)
def make_relations(
    nlp: Language,
    name: str,
    classifier: str,
    calibrator: str | bool | None,
    wanted_precision: float | None,
    types: dict[str, str | None] | None,
    keep_negative: bool,
    natural: bool | None,
) -> RelationComponent:
    """Factory of the component.

    Args:
        nlp: Pipeline of the component.
        name: Name of the component in it.
        classifier: Folder of the classifier, or of its versions, or of an exported one.
        calibrator: File of its calibrator record; None loads ``trust.json`` beside the weights, if
            there is one; False uses none.
        wanted_precision: Answers below its threshold are withheld (``abstained``).
        types: Type in the classifier's schema (``person``), or None, by entity label (``PERSON``);
            entities with other labels are left out. None pairs all entities, without types.
        keep_negative: Whether pairs with the negative relation are kept.
        natural: Whether documents are natural text; see ``RelationExtractor``.

    Raises:
        ValueError: ``types`` names a type that the classifier does not know.
    """
    if calibrator is True:
        raise ValueError(f"{name}: calibrator is a file, false for none, or null for that beside")
    return RelationComponent(
        name, classifier, calibrator, wanted_precision, types, keep_negative, natural
    )


if not Doc.has_extension("relations"):
    Doc.set_extension("relations", getter=_relations)
