"""How a corpus is made up: rows by relation and split, their lengths, the types they join."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median

from tkre.checkup.rows import Rows


@dataclass(frozen=True)
class RelationCounts:
    """The rows of a relation.

    Attributes:
        name: Of the relation.
        rows: How many, by split.
        words: Fewest, median and most words of its sentences; zeros without any.
        types: Pairs of entity types with how often they stand, the commonest first.
    """

    name: str
    rows: dict[str, int]
    words: tuple[int, int, int]
    types: tuple[tuple[str, int], ...]


def count(rows: Rows) -> list[RelationCounts]:
    """The counts of every relation, in the order of the schema."""
    return [_of(name, rows) for name in rows.schema.names]


def _of(name: str, rows: Rows) -> RelationCounts:
    mine = {
        split: [row for row in instances if row.relation == name]
        for split, instances in rows.splits.items()
    }
    everything = [row for split in mine.values() for row in split]
    lengths = [len(row.text.split()) for row in everything] or [0]
    types = Counter(
        f"{row.head_type} \u2192 {row.tail_type}"
        for row in everything
        if row.head_type is not None or row.tail_type is not None
    )
    return RelationCounts(
        name,
        {split: len(split_rows) for split, split_rows in mine.items()},
        (min(lengths), round(median(lengths)), max(lengths)),
        tuple(types.most_common()),
    )
