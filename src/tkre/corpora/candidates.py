"""Candidate pairs in raw sentences: mentions from spaCy, and the pairs of any mentions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from heapq import merge
from importlib import import_module
from itertools import product, tee
from typing import Any

from tkre.core.errors import UserError
from tkre.core.instance import Instance, Span, TagError, parse_tagged, to_tagged
from tkre.core.schema import RelationSchema
from tkre.corpora.formats import json_object, numbered_lines
from tkre.corpora.records import RowError, id_once, instance_problem, string
from tkre.corpora.reviewed import writable


@dataclass(frozen=True)
class Mention:
    """A mention in a sentence.

    Attributes:
        span: Start and end in characters.
        kind: Entity type; None if unknown.
    """

    span: Span
    kind: str | None


BATCH = 64  # texts in a batch of a spaCy pipeline


class SpacyError(UserError, RuntimeError):
    """An unusable spaCy pipeline; the message has the way out."""


class SpacyMentions:
    """Entities of a spaCy pipeline, with its labels as types.

    Args:
        pipeline: Name of an installed pipeline (``en_core_web_sm``), or its folder.
        types: Entity types by label; a label without an entry is its own type.
        known: Entity types of the corpus; other entities are dropped and counted. None keeps all.

    Raises:
        SpacyError: spaCy or the pipeline is missing, or the pipeline finds no entities.
    """

    def __init__(
        self, pipeline: str, types: Mapping[str, str], known: Iterable[str] | None
    ) -> None:
        self._pipeline = _load(pipeline)
        self._types = dict(types)
        self._known = None if known is None else frozenset(known)
        self.dropped: Counter[str] = Counter()

    def find(self, texts: Iterable[str]) -> Iterator[list[Mention]]:
        """Mentions of each text, in order."""
        for document in self._pipeline.pipe(texts, batch_size=BATCH):
            yield [mention for entity in document.ents if (mention := self._mention(entity))]

    def _mention(self, entity: Any) -> Mention | None:
        kind = self._types.get(entity.label_, entity.label_)
        if self._known is not None and kind not in self._known:
            self.dropped[entity.label_] += 1
            return None
        return Mention(Span(entity.start_char, entity.end_char), kind)


def _load(pipeline: str) -> Any:
    try:
        spacy = import_module("spacy")  # an extra
    except ImportError:
        raise SpacyError("--spacy needs spaCy: pip install -e '.[spacy]'") from None
    try:
        loaded: Any = spacy.load(pipeline)
    except OSError:
        raise SpacyError(
            f"there is no spaCy pipeline {pipeline!r}, installed or in a folder: "
            f"python -m spacy download {pipeline}"
        ) from None
    assigned = {what for name in loaded.pipe_names for what in loaded.get_pipe_meta(name).assigns}
    if "doc.ents" not in assigned:
        components = ", ".join(loaded.pipe_names) or "none"
        raise SpacyError(
            f"the spaCy pipeline {pipeline!r} has no component that finds entities, such as ner or "
            f"entity_ruler (its components: {components})"
        )
    return loaded


_Kinds = tuple[str | None, str | None]  # types of a head and a tail
# Returns the mentions of each text, in order.
Find = Callable[[Iterable[str]], Iterable[list[Mention]]]


@dataclass(frozen=True)
class Pairs:
    """Selection of the pairs of a sentence.

    Attributes:
        both_ways: Take each pair with either mention as the head; else the first one is the head.
        most: Largest number of pairs of a sentence; those with the closest mentions are taken.
        schema: Drop pairs whose types no relation of the schema allows, except the negative one.
    """

    both_ways: bool = True
    most: int = 30
    schema: RelationSchema | None = None

    def of(self, text: str, mentions: list[Mention]) -> tuple[list[Instance], Counter[str]]:
        """Pairs of the mentions of a text, without an id; numbers of the others.

        These are as of ``CandidateCounts``: ``ruled_out``, ``refused`` and ``beyond``.
        """
        ordered = sorted(mentions, key=lambda m: m.span)
        number = len(ordered) * (len(ordered) - 1) // (1 if self.both_ways else 2)
        joined = self._joined({mention.kind for mention in ordered})
        possible = number if joined is None else self._possible(ordered, joined)
        kept: list[Instance] = []
        refused = 0
        for head, tail in self._closest_first(ordered, joined) if possible else ():
            if len(kept) == self.most:  # the others are not tried: a text may have very many
                break
            row = Instance("", text, head.span, tail.span, head_type=head.kind, tail_type=tail.kind)
            # As every reader of the pairs will check them.
            if instance_problem(row, None) or not writable(row):
                refused += 1
            else:
                kept.append(row)
        left = {
            "ruled_out": number - possible,
            "refused": refused,
            "beyond": possible - refused - len(kept),
        }
        return kept, Counter(left)

    def _joined(self, kinds: set[str | None]) -> set[_Kinds] | None:
        """Types of a head and a tail that a relation joins; None for any."""
        if self.schema is None:
            return None
        names = [name for name in self.schema.names if name != self.schema.negative]
        return {
            (head, tail)
            for head, tail in product(kinds, kinds)
            if any(self.schema.allows(name, head, tail) for name in names)
        }

    def _possible(self, ordered: list[Mention], joined: set[_Kinds]) -> int:
        """Number of the pairs whose types are joined, without the pairs."""
        found, before = 0, Counter[str | None]()
        for mention in ordered:
            for kind, times in before.items():
                found += times * ((kind, mention.kind) in joined)
                found += times * (self.both_ways and (mention.kind, kind) in joined)
            before[mention.kind] += 1
        return found

    def _closest_first(
        self, ordered: list[Mention], joined: set[_Kinds] | None
    ) -> Iterator[tuple[Mention, Mention]]:
        """Pairs by their distance, one after the other: few of them are in memory."""

        def from_(n: int) -> Iterator[tuple[Mention, Mention]]:
            for other in range(n + 1, len(ordered)):
                pair = ordered[n], ordered[other]
                for head, tail in (pair, pair[::-1]) if self.both_ways else (pair,):
                    if joined is None or (head.kind, tail.kind) in joined:
                        yield head, tail

        return merge(*map(from_, range(len(ordered))), key=_distance)


@dataclass
class CandidateCounts:
    """Counts of sentences, mentions and pairs.

    Attributes:
        sentences: Sentences read.
        mentions: Mentions found.
        no_mention: Sentences without a mention.
        one_mention: Sentences with one mention, so without a pair.
        pairs: Pairs written.
        ruled_out: Pairs whose types no relation allows.
        refused: Pairs that no command takes, of those that are tried: their mentions are the same
            or cross, or a text holds tags itself.
        beyond: Pairs beyond the limit of a sentence.
        kinds: Mentions by type.
        bad: Lines without a sentence, with the reasons.
    """

    sentences: int = 0
    mentions: int = 0
    no_mention: int = 0
    one_mention: int = 0
    pairs: int = 0
    ruled_out: int = 0
    refused: int = 0
    beyond: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    def add(self, mentions: list[Mention]) -> None:
        """Count a sentence with its mentions."""
        self.sentences += 1
        self.mentions += len(mentions)
        self.no_mention += not mentions
        self.one_mention += len(mentions) == 1
        self.kinds.update(str(mention.kind) for mention in mentions)


def read_sentences(
    lines: Iterable[str], *, json: bool, counts: CandidateCounts
) -> Iterator[tuple[str, str]]:
    """Parse raw sentences; yield their ids and texts.

    Args:
        lines: Lines with a sentence each, or with a JSON object that has a ``sentence`` and,
            optionally, an ``id``.
        json: The lines are JSON objects.
        counts: Bad lines are added to it.
    """
    for number, line in enumerate(lines, start=1):
        for _, content in numbered_lines(line):
            try:
                yield _sentence(content, number, json=json)
            except RowError as error:
                counts.bad.append(f"line {number}: {error}")


def candidates(
    sentences: Iterable[tuple[str, str]], find: Find, pairs: Pairs, counts: CandidateCounts
) -> Iterator[dict[str, Any]]:
    """Yield every pair as a record of the native format without a relation.

    Args:
        sentences: Ids and texts; an id that stands twice gets a number.
        find: Finds mentions; it may read texts ahead.
        pairs: Selection of pairs.
        counts: Updated with every sentence.
    """
    read, unread = tee(sentences)
    taken: dict[str, int] = {}
    for (sentence_id, text), mentions in zip(read, find(text for _, text in unread), strict=True):
        counts.add(mentions)
        kept, left = pairs.of(text, mentions)
        counts.ruled_out += left["ruled_out"]
        counts.refused += left["refused"]
        counts.beyond += left["beyond"]
        unique = id_once(sentence_id, taken)
        for number, row in enumerate(kept, start=1):
            counts.pairs += 1
            yield _record(replace(row, id=f"{unique}/{number}"))


def _sentence(content: str, number: int, *, json: bool) -> tuple[str, str]:
    record: Mapping[str, Any] = json_object(content) if json else {"sentence": content.strip()}
    key = "text" if "text" in record and "sentence" not in record else "sentence"
    text = string(dict(record), key)
    try:
        parse_tagged(text)
    except TagError:
        if any(tag in text for tag in ("<head>", "</head>", "<tail>", "</tail>")):
            raise RowError(f"it has a tag of ours in it: {text!r}") from None
    else:
        raise RowError("its pair is marked already; kedro label takes it as it is")
    given = record.get("id")
    return f"line-{number}" if given in (None, "") else str(given), text


def _distance(pair: tuple[Mention, Mention]) -> tuple[int, int, int]:
    head = pair[0].span
    first, second = sorted(mention.span for mention in pair)
    return second.start - first.end, first.start, head.start


def _record(instance: Instance) -> dict[str, Any]:
    record = {
        "id": instance.id,
        "sentence": to_tagged(instance),
        "head_type": instance.head_type,
        "tail_type": instance.tail_type,
    }
    return {key: value for key, value in record.items() if value is not None}
