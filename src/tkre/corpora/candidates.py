"""Raw sentences with every pair of their mentions marked: what a classifier is asked about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, permutations
from typing import Any

from tkre.corpora.formats.row import RowError, json_lines, json_object, string
from tkre.corpora.mentions import Mention, composed
from tkre.corpora.schema import RelationSchema
from tkre.records import Instance
from tkre.tagged import TagError, parse_tagged, to_tagged

# The mentions of each of a batch of texts, in order.
Find = Callable[[Iterable[str]], Iterable[list[Mention]]]


@dataclass(frozen=True)
class Pairs:
    """Which pairs of a sentence are taken.

    Attributes:
        both_ways: Whether a pair is taken with either mention as the head; else the one that
            stands first is.
        most: Pairs of a sentence at most: those whose mentions stand closest.
        schema: Leaves out pairs whose types no relation of it joins, the negative one aside.
    """

    both_ways: bool = True
    most: int = 30
    schema: RelationSchema | None = None

    def of(self, mentions: list[Mention]) -> tuple[list[tuple[Mention, Mention]], int, int]:
        """Pairs of head and tail; how many no relation joins; how many were beyond ``most``."""
        take = permutations if self.both_ways else combinations
        pairs = list(take(sorted(mentions, key=lambda m: m.span), 2))
        possible = [(head, tail) for head, tail in pairs if self._may_be_related(head, tail)]
        kept = sorted(possible, key=_distance)[: self.most]
        return kept, len(pairs) - len(possible), len(possible) - len(kept)

    def _may_be_related(self, head: Mention, tail: Mention) -> bool:
        if self.schema is None:
            return True
        return any(
            self.schema.allows(name, head.kind, tail.kind)
            for name in self.schema.names
            if name != self.schema.negative
        )


@dataclass
class CandidateCounts:
    """What became of the sentences.

    Attributes:
        sentences: How many were read.
        mentions: That were found in them.
        no_mention: Sentences without any.
        one_mention: Sentences with one, so without a pair.
        pairs: That were written.
        ruled_out: Pairs whose types no relation joins.
        beyond: Pairs beyond the most of a sentence.
        kinds: Mentions by type.
        bad: Lines that hold no sentence, with their reasons.
    """

    sentences: int = 0
    mentions: int = 0
    no_mention: int = 0
    one_mention: int = 0
    pairs: int = 0
    ruled_out: int = 0
    beyond: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)

    def take_in(self, mentions: list[Mention]) -> None:
        """Counts the mentions of a sentence."""
        self.sentences += 1
        self.mentions += len(mentions)
        self.no_mention += not mentions
        self.one_mention += len(mentions) == 1
        for mention in mentions:
            self.kinds[str(mention.kind)] = self.kinds.get(str(mention.kind), 0) + 1


def read_sentences(
    lines: Iterable[str], *, json: bool, counts: CandidateCounts
) -> Iterator[tuple[str, str]]:
    """Ids and texts of raw sentences.

    Args:
        lines: Of a file: a sentence each, or a JSON object with ``sentence`` and, if it has one,
            ``id``.
        json: Which of the two.
        counts: Lines that hold no sentence are put there.
    """
    for number, line in enumerate(lines, start=1):
        for _, content in json_lines(line):
            try:
                yield _sentence(content, number, json=json)
            except RowError as error:
                counts.bad.append(f"line {number}: {error}")


def candidates(
    sentences: Iterable[tuple[str, str]], find: Find, pairs: Pairs, counts: CandidateCounts
) -> Iterator[dict[str, Any]]:
    """Every pair as a record in the native format, without a relation.

    Args:
        sentences: Ids and texts.
        find: Finds mentions.
        pairs: Which pairs are taken.
        counts: Is added to as sentences pass.
    """
    ids, texts = _apart(sentences)
    for mentions in find(texts):
        sentence_id, text = ids.pop(0)
        counts.take_in(mentions)
        kept, ruled_out, beyond = pairs.of(mentions)
        counts.ruled_out += ruled_out
        counts.beyond += beyond
        for number, (head, tail) in enumerate(kept, start=1):
            counts.pairs += 1
            instance = Instance(
                f"{sentence_id}/{number}", text, head.span, tail.span,
                head_type=head.kind, tail_type=tail.kind,
            )  # fmt: skip
            yield _record(instance)


def _apart(
    sentences: Iterable[tuple[str, str]],
) -> tuple[list[tuple[str, str]], Iterator[str]]:
    """The texts as they are asked for, and beside them what has been asked for and not answered."""
    waiting: list[tuple[str, str]] = []

    def texts() -> Iterator[str]:
        for sentence in sentences:
            waiting.append(sentence)
            yield sentence[1]

    return waiting, texts()


def _sentence(content: str, number: int, *, json: bool) -> tuple[str, str]:
    record: Mapping[str, Any] = json_object(content) if json else {"sentence": content.strip()}
    text = composed(string(dict(record), "sentence"))
    try:
        parse_tagged(text)
    except TagError:
        if any(tag in text for tag in ("<head>", "</head>", "<tail>", "</tail>")):
            raise RowError(f"it has a tag of ours in it: {text!r}") from None
    else:
        raise RowError("its pair is marked already; kedro label takes it as it is")
    return str(record.get("id") or f"line-{number}"), text


def _distance(pair: tuple[Mention, Mention]) -> tuple[int, int, int]:
    first, second = sorted(mention.span for mention in pair)
    return second.start - first.end, first.start, pair[0].span.start


def _record(instance: Instance) -> dict[str, Any]:
    record = {
        "id": instance.id,
        "sentence": to_tagged(instance),
        "head_type": instance.head_type,
        "tail_type": instance.tail_type,
    }
    return {key: value for key, value in record.items() if value is not None}
