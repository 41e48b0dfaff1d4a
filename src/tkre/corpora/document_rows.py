"""Rows of a corpus from documents: pairs within a sentence, and pairs without a relation."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import permutations, product

from tkre.core.instance import Instance, Span
from tkre.corpora.candidates import Mention
from tkre.corpora.documents import Document, Link, Sentence, Tally, sentences_of
from tkre.corpora.records import instance_problem


class Rows:
    """Rows of documents, and pairs of entities without a relation.

    Args:
        tally: Counts; every relation of a document is a row or is left out with a reason.
    """

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.rows: list[Instance] = []
        self._labels: dict[tuple[str, Span, Span], str] = {}
        self._read: list[tuple[Sequence[Sentence], set[tuple[str, str]]]] = []

    def add(self, document: Document) -> None:
        """Add the relations of a document."""
        sentences = sentences_of(document, self.tally)
        holders: dict[str, set[int]] = defaultdict(set)
        for n, sentence in enumerate(sentences):
            for key, _ in sentence.mentions:
                holders[key].add(n)
        related = set()
        for number, link in enumerate(document.links, start=1):
            self.tally.read["relations"] += 1
            related |= {(link.head, link.tail), (link.tail, link.head)}
            try:
                if document.unclear & {link.head, link.tail}:
                    raise _LeftOut("the id of a mention stands at several places")
                self._take(link, f"{document.name}/r{number}", sentences, holders)
            except _LeftOut as error:
                place = f"{document.place}: {link.label or 'relation'} ({link.head}, {link.tail})"
                self.tally.leave_out("relation", error.reason, place + error.detail)
        self._read.append((sentences, related))

    def _take(
        self,
        link: Link,
        row_id: str,
        sentences: Sequence[Sentence],
        holders: Mapping[str, set[int]],
    ) -> None:
        if not link.label:
            raise _LeftOut("it has no label")
        if not {link.head, link.tail} <= holders.keys():
            raise _LeftOut("a mention of it is not there, or is left out")
        found = holders[link.head] & holders[link.tail]
        if not found:
            raise _LeftOut("its mentions lie in different sentences")
        if link.evidence and not (found := found & {*link.evidence}):
            raise _LeftOut("no sentence of its evidence has both mentions")
        sentence, head, tail = _closest(link, [sentences[n] for n in sorted(found)])
        row = Instance(
            row_id, sentence.text, head.span, tail.span, link.label,
            head_type=head.kind, tail_type=tail.kind,
        )  # fmt: skip
        if problem := instance_problem(row, None):
            same = head.span == tail.span
            kind = "its head and tail are the same mention" if same else "its pair cannot be marked"
            raise _LeftOut(kind, "" if same else f": {problem}")
        pair = (row.text, row.head, row.tail)
        if pair in self._labels:
            same = self._labels[pair] == link.label
            kind = "it stands there twice" if same else "its pair has another relation already"
            raise _LeftOut(kind, "" if same else f": {self._labels[pair]}")
        self._labels[pair] = link.label
        self.rows.append(row)

    def negatives(self, label: str, most: int, seed: int) -> list[Instance]:
        """Random pairs without a relation, of types that some relation joins.

        Args:
            label: Name of the negative relation.
            most: Largest number of pairs.
            seed: Seed of the choice.
        """
        joined = {(row.head_type, row.tail_type) for row in self.rows}
        related = {(text, *pair) for text, *pair in self._labels}
        related |= {(text, tail, head) for text, head, tail in self._labels}
        pairs: dict[tuple[str, Span, Span], Instance] = {}
        for sentence, head, tail in self._free():
            key = (sentence.text, head.span, tail.span)
            if (head.kind, tail.kind) in joined and key not in related and key not in pairs:
                row = Instance(
                    sentence.name, sentence.text, head.span, tail.span, label,
                    head_type=head.kind, tail_type=tail.kind,
                )  # fmt: skip
                if not head.span.overlaps(tail.span) and instance_problem(row, None) is None:
                    pairs[key] = row
        self.tally.read["pairs without a relation"] += len(pairs)
        chosen = random.Random(seed).sample(range(len(pairs)), min(most, len(pairs)))
        free = list(pairs.values())
        return [replace(free[n], id=f"{free[n].id}/n{n + 1}") for n in sorted(chosen)]

    def _free(self) -> Iterator[tuple[Sentence, Mention, Mention]]:
        """Pairs of entities that no relation joins; there may be very many of a sentence."""
        for sentences, related in self._read:
            for sentence in sentences:
                for (one, head), (other, tail) in permutations(sentence.mentions, 2):
                    if one != other and (one, other) not in related:
                        yield sentence, head, tail


class _LeftOut(Exception):
    """Why a relation is left out, and what of it."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


def _closest(link: Link, sentences: Sequence[Sentence]) -> tuple[Sentence, Mention, Mention]:
    """The closest mentions of two entities in one sentence."""

    def distance(pair: tuple[Sentence, Mention, Mention]) -> int:
        first, second = sorted((pair[1].span, pair[2].span))
        # One mention cannot be both of them, and they are no good if they overlap.
        return second.start - first.end if second.start >= first.end else 10**9

    def of(key: str, sentence: Sentence) -> list[Mention]:
        return [mention for one, mention in sentence.mentions if one == key]

    return min(
        (
            (sentence, head, tail)
            for sentence in sentences
            for head, tail in product(of(link.head, sentence), of(link.tail, sentence))
        ),
        key=distance,
    )
