"""A trained classifier as a Python object, without Kedro.

    extractor = RelationExtractor.from_pretrained("path/to/classifier")
    sentence = "<head>Ada</head> was born in <tail>London</tail>."
    print(extractor([sentence])[0].relation)

Importing this module loads neither torch nor transformers; loading a classifier does, unless it
was exported for ONNX Runtime.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tkre.core.files import read_text, require_readable
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.corpora.reading import RELATIONS_FILE
from tkre.corpora.unlabelled import Sentence, read_sentences
from tkre.evaluation.calibrator import CALIBRATOR_FILE, Calibrator, calibrated_rows, share_of
from tkre.evaluation.predictions import withheld
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import FileTokenizer, Tokenizer
from tkre.training.onnx_classifier import MODEL_FILE, OnnxClassifier
from tkre.training.scoring import Scorer, Scores, labels_of, score

if TYPE_CHECKING:  # it loads torch
    from tkre.modeling.classifier import RelationClassifier

ROWS = 1024  # batch of a stream
# What an answer says.
HOLDS, NO_RELATION = "relation", "no relation of the schema"
DOUBTFUL, WITHHELD = "no relation is probable enough", "withheld"


def newest_version(path: Path) -> Path:
    """The folder itself if it holds a model, else the newest version in it.

    Raises:
        FileNotFoundError: There is no model in either.
        PermissionError: They cannot be read.
    """
    require_readable(path)
    if (path / "config.json").is_file():
        return path
    versions = sorted(p.parent for p in path.glob("[!.]*/[!.]*/config.json"))
    if not versions:
        raise FileNotFoundError(
            f"no classifier in {path}: neither config.json nor a version of one; `kedro run` "
            "writes classifiers to data/06_models/<corpus>/<shots>/<seed>/<variant>/classifier"
        )
    return versions[-1]


def load_model(
    folder: Path, threads: int | None
) -> tuple[RelationClassifier | OnnxClassifier, Tokenizer]:
    """Load the model and the tokenizer of a folder; ONNX needs no torch."""
    require_readable(folder)
    if (folder / MODEL_FILE).is_file():
        return OnnxClassifier.load(folder, threads), FileTokenizer.load(folder)
    from tkre.modeling.checkpoint import import_without_sklearn, load_tokenizer, quiet_transformers

    with quiet_transformers():
        import_without_sklearn()
        from tkre.modeling.classifier import RelationClassifier
        from tkre.modeling.runtime import device

        model = RelationClassifier.from_pretrained(folder).to(device())
        return model, load_tokenizer(folder)


def find_calibrator(
    folder: Path, calibrator: Calibrator | str | Path | Literal[False] | None
) -> Calibrator | None:
    """Use the given record, load ``trust.json`` of the folder if None, use none if False."""
    if calibrator is None:
        beside = folder / CALIBRATOR_FILE
        return Calibrator.read(beside) if beside.is_file() else None
    if calibrator is False:
        return None
    return calibrator if isinstance(calibrator, Calibrator) else Calibrator.read(calibrator)


def find_schema(folder: Path, schema: RelationSchema | str | Path | None) -> RelationSchema | None:
    """Use the given schema or its file; if None, load that of the folder, if there is one."""
    if isinstance(schema, RelationSchema):
        return schema
    file = folder / RELATIONS_FILE if schema is None else Path(schema)
    if schema is None and not file.is_file():
        return None
    return RelationSchema.read(read_text(file), str(file))


def save_artifacts(folder: Path, calibrator: Path, schema: RelationSchema) -> None:
    """Save calibrator record and schema beside the weights.

    Args:
        folder: Folder of the classifier.
        calibrator: File of its calibrator record.
        schema: Schema of its labels.
    """
    import yaml

    shutil.copyfile(calibrator, folder / CALIBRATOR_FILE)
    content = schema.model_dump(mode="json", exclude_defaults=True)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    (folder / RELATIONS_FILE).write_text(text, encoding="utf-8")


@dataclass(frozen=True)
class Prediction:
    """Predicted relation between the two mentions of a sentence.

    Attributes:
        relation: Most probable label before calibration, or the negative one where none is
            probable enough; None where the guess is below the threshold of the wanted precision.
        probability: Probability of the label ``guess``. Of a negative one it is low where the
            verdict is ``DOUBTFUL``.
        probabilities: Probability of every label.
        guess: The label, withheld or not.
        verdict: ``HOLDS``: the relation is asserted. ``NO_RELATION``: the negative label is the
            most probable one. ``DOUBTFUL``: another one is, below the classifier's
            ``least_probability``, so the negative one is given. ``WITHHELD``: the guess is below
            the threshold of the wanted precision.
        untyped: Whether a mention has no entity type although the schema has types: the answer is
            less certain, and no relation is ruled out by types.
        truncated: Whether the sentence is longer than the classifier's ``max_length``: then only
            the words around the mentions were read.
    """

    relation: str | None
    probability: float
    probabilities: dict[str, float]
    guess: str
    truncated: bool = False
    verdict: str = HOLDS
    untyped: bool = False

    @property
    def abstained(self) -> bool:
        """Whether the guess is withheld."""
        return self.relation is None


class RelationExtractor:
    """Labels sentences whose two mentions are marked.

    Args:
        model: Relation classifier, or an exported one.
        tokenizer: Tokenizer of the classifier.
        calibrator: Calibrator record of the classifier; None leaves probabilities uncalibrated.
        wanted_precision: Answers below the record's threshold for it are withheld; None
            withholds none.
        schema: Relation schema of the labels, if known.
        natural: Whether sentences are natural text, labelled with the classifier's prior of it if
            it has one. False: their labels were chosen, about equal shares of each. None: as the
            record was fitted; without a record they are natural text.

    Raises:
        CalibratorError: The record is of another classifier or of the other kind of text, or has
            no threshold for the precision.
        ValueError: A precision without a record, or not between 0 and 1.
    """

    def __init__(
        self,
        model: RelationClassifier | OnnxClassifier,
        tokenizer: Tokenizer,
        calibrator: Calibrator | None = None,
        wanted_precision: float | None = None,
        schema: RelationSchema | None = None,
        natural: bool | None = None,
    ) -> None:
        self._model = model if isinstance(model, OnnxClassifier) else model.eval()
        self._tokenizer = tokenizer
        self._confidence = 0.0
        self.calibrator = calibrator
        self.wanted_precision = wanted_precision
        self.schema = schema
        _check_precision(wanted_precision)
        self.natural = natural is not False
        if calibrator is not None:
            calibrator.require(self.digest)
            if self.config.natural_prior:
                self.natural = calibrator.natural(natural)
        if wanted_precision is not None:
            if calibrator is None:
                raise ValueError(
                    f"wanted_precision={wanted_precision} needs the calibrator record: "
                    'calibrator="data/07_model_output/<corpus>/<shots>/<seed>/<variant>/trust.json"'
                )
            self._confidence = calibrator.confidence_for(wanted_precision)

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        calibrator: Calibrator | str | Path | Literal[False] | None = None,
        wanted_precision: float | None = None,
        schema: RelationSchema | str | Path | None = None,
        threads: int | None = None,
        natural: bool | None = None,
    ) -> Self:
        """Load an extractor.

        Args:
            path: Folder of a classifier as a run or ``kedro classifier export`` writes it, or of
                its versions, of which the newest is loaded.
            calibrator: Calibrator record, its file, or a folder of its versions. None loads
                ``trust.json`` beside the weights, if there is one; False uses none.
            wanted_precision: See the class.
            schema: Relation schema or its file. None loads ``relations.yml`` beside the weights,
                if there is one.
            threads: Threads of an exported classifier (``OnnxClassifier.load``). torch has one
                setting for the process: ``torch.set_num_threads``.
            natural: See the class.

        Raises:
            FileNotFoundError: There is no classifier, or no calibrator record.
            PermissionError: A file cannot be read.
            ValueError: See the class.
        """
        _check_precision(wanted_precision)
        folder = newest_version(Path(path))
        model, tokenizer = load_model(folder, threads)
        return cls(
            model,
            tokenizer,
            find_calibrator(folder, calibrator),
            wanted_precision,
            find_schema(folder, schema),
            natural,
        )

    @property
    def config(self) -> ClassifierSettings:
        """Settings of the classifier: labels, inverses, allowed types."""
        return self._model.config

    @property
    def relations(self) -> list[str]:
        """The labels, in the order of their numbers."""
        labels = self.config.id2label
        return [labels[n] for n in range(len(labels))]

    @property
    def negative(self) -> str | None:
        """The negative label; None without one."""
        return self.config.negative

    @cached_property
    def entity_types(self) -> frozenset[str] | None:
        """Types that a mention may have; None if unknown.

        The types of the schema, or of the config; for a config of an older version, those that its
        relations name.
        """
        if self.schema is not None:
            return frozenset(self.schema.entity_types)
        config = self.config
        if config.entity_types is not None:
            return frozenset(config.entity_types)
        named = {kind for sides in config.allowed_types.values() for side in sides for kind in side}
        return frozenset(named) or None

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights; of an exported classifier, of those it was exported from."""
        if isinstance(self._model, OnnxClassifier):
            return self._model.weights
        from tkre.modeling.checkpoint import weights_digest

        return weights_digest(self._model)

    @property
    def backend(self) -> str:
        """Inference backend: ``torch`` or ``onnxruntime``."""
        return "onnxruntime" if isinstance(self._model, OnnxClassifier) else "torch"

    @property
    def rows_are_independent(self) -> bool:
        """Whether the answer for a sentence is the same in any batch."""
        if isinstance(self._model, OnnxClassifier) and self._model.int8:
            return False
        return self.calibrator is None or self.calibrator.settings.negative_share != "estimated"

    def __call__(self, sentences: Iterable[Sentence]) -> list[Prediction]:
        """Label a batch.

        Args:
            sentences: Tagged texts; or mappings with ``sentence`` (tagged), or ``text`` and the
                spans ``head`` and ``tail`` (``[start, end]``, half-open, in characters), and
                ``head_type``, ``tail_type`` and ``id``, if known; or instances.

        Returns:
            A prediction for each, in order.

        Raises:
            SentenceError: Sentences that ``corpora.records`` refuses, such as one without a head
                or with an unknown type. All are listed by their places.
            TypeError: One sentence was given instead of a batch.
        """
        _check_several(sentences)
        return self._labelled(read_sentences(sentences, self.entity_types))

    def stream(self, sentences: Iterable[Sentence], rows: int = ROWS) -> Iterator[Prediction]:
        """Label any number of sentences, ``rows`` of them in memory at a time.

        Args:
            sentences: See ``__call__``. The first bad one stops the stream with its place. Ids of
                mappings are kept in memory.
            rows: Sentences of a batch. A calibrator record whose ``negative_share`` is
                ``estimated`` estimates it from each batch.
        """
        _check_several(sentences)
        waiting, first = iter(sentences), 0
        taken: dict[str, str] = {}
        while batch := list(islice(waiting, rows)):
            yield from self._labelled(read_sentences(batch, self.entity_types, first, taken))
            first += len(batch)

    def _labelled(self, instances: list[Instance]) -> list[Prediction]:
        labels, numbers = self.relations, self.config.label2id
        rows_NR, truncated_N = self._scores(instances)
        guesses = labels_of(rows_NR, self.config)
        guesses_N = np.array([numbers[name] for name in guesses], dtype=int)
        if self.calibrator is not None:
            share = share_of(rows_NR, labels, self.calibrator)
            rows_NR, guesses_N = calibrated_rows(rows_NR, guesses_N, labels, self.calibrator, share)
        predictions = []
        for row, number, truncated, instance in zip(
            rows_NR.tolist(), guesses_N.tolist(), truncated_N, instances, strict=True
        ):
            guess, probability = labels[number], row[number]
            unsure = withheld(probability, guess != self.negative, self._confidence)
            relation = None if unsure else guess
            named = dict(zip(labels, row, strict=True))
            verdict = WITHHELD if unsure else self._verdict(guess, probability, row)
            untyped = bool(self.entity_types) and None in (instance.head_type, instance.tail_type)
            predictions.append(
                Prediction(relation, probability, named, guess, truncated, verdict, untyped)
            )
        return predictions

    def _verdict(self, guess: str, probability: float, row: list[float]) -> str:
        if guess != self.negative:
            return HOLDS
        return NO_RELATION if probability >= max(row) else DOUBTFUL

    def _scores(self, instances: list[Instance]) -> Scores:
        ready: AbstractContextManager[Scorer]
        if isinstance(self._model, OnnxClassifier):
            ready = nullcontext(self._model)
        else:
            from tkre.training.inference import scorer

            # Not bf16: an answer must not depend on the other sentences of its batch.
            ready = scorer(self._model, "fp32")
        with ready as model:
            return score(model, self._tokenizer, instances, "extraction", natural=self.natural)


def _check_several(sentences: object) -> None:
    if isinstance(sentences, str | bytes | Mapping | Instance):
        raise TypeError(
            f"one sentence ({type(sentences).__name__}) was given where several are expected: "
            "extractor([sentence])[0]"
        )


def _check_precision(wanted: float | None) -> None:
    """Refuse e.g. a per cent before anything is loaded."""
    if wanted is not None and not 0 < wanted < 1:
        raise ValueError(f"wanted_precision must be between 0 and 1, not {wanted:g}")
