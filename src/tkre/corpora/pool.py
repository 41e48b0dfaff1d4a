"""The unlabelled pool of a corpus: sentences with a marked pair that a language model may label.

A pool is a file, or rows of the training split by their ids. Labels are dropped where rows are
read. Before a sample uses the pool, sentences of its other sets are taken out.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tkre.core.instance import Instance
from tkre.core.params import did_you_mean
from tkre.core.schema import RelationSchema
from tkre.core.text import NearDuplicateIndex, NearDuplicateParams
from tkre.corpora.formats import RowError, json_lines
from tkre.corpora.params import FORMATS, CorpusParams
from tkre.corpora.reading import CorpusError, listed
from tkre.corpora.unlabelled import read_unlabelled

logger = logging.getLogger(__name__)


def read_pool(
    read: Callable[[str], str], schema: RelationSchema, params: CorpusParams
) -> list[Instance]:
    """Read the unlabelled pool of a corpus.

    Args:
        read: Returns the text of a file by its name within the folder.
        schema: Schema of the corpus; only its entity types are used.
        params: Files of the corpus.

    Returns:
        Instances without relation, triggers and explanation: in the order of the file, or of the
        ids. Empty for a corpus without a pool.

    Raises:
        CorpusError: Bad lines, repeated or unknown ids, unknown entity types; the message lists
            them.
    """
    if params.unlabelled is None:
        return []
    source = params.unlabelled
    name = f"{schema.corpus}/{source.file or source.train_ids}"
    if source.train_ids is not None:
        pool, problems = _training_rows(read(source.train_ids), read(params.train), params)
    elif source.format is not None:
        pool, problems = _unlabelled_rows(read(str(source.file)), source.format, "unlabelled")
        problems += _repeated([row.id for row in pool])
    else:
        pool = read_unlabelled(read(str(source.file)), name)
        problems = _repeated([row.id for row in pool])
    problems += _unknown_types(pool, schema)
    if problems:
        lines = listed([f"  {name}: {problem}" for problem in problems])
        raise CorpusError("\n".join([f"{len(problems)} bad unlabelled row(s):", *lines]))
    return pool


def without_label(row: Instance) -> Instance:
    """An instance without anything that its annotators added to sentence, mentions and types."""
    return replace(row, relation=None, triggers=(), explanation=None, implicit=None)


@dataclass(frozen=True)
class Refusal:
    """An instance that is taken out of the pool.

    Attributes:
        id: Id of the instance.
        reason: ``duplicate``, or the name of the set with its sentence.
        share: Share of its word runs in that sentence, 0 to 1.
    """

    id: str
    reason: str
    share: float


@dataclass(frozen=True)
class GuardedPool:
    """The part of a pool that a sample may use.

    Attributes:
        rows: Instances that may be labelled, in the order of the pool.
        refused: The others, in that order.
    """

    rows: list[Instance]
    refused: list[Refusal]

    def report(self) -> dict[str, Any]:
        """Counts: ``rows``, ``sentences``, ``refused`` and ``reasons`` of the refused rows."""
        reasons = Counter(refusal.reason for refusal in self.refused)
        return {
            "rows": len(self.rows),
            "sentences": len({row.text for row in self.rows}),
            "refused": len(self.refused),
            "reasons": dict(sorted(reasons.items())),
        }


def guard_pool(
    pool: Sequence[Instance],
    forbidden: Mapping[str, Sequence[Instance]],
    near: NearDuplicateParams,
) -> GuardedPool:
    """Take out rows whose sentence is in another set of a sample, or is nearly one of its.

    The rule is that of synthetic sentences (``core.text.NearDuplicateIndex``). Sentences of the
    pool are compared with one another only for equal pairs, since every sentence may have several
    pairs, and its source may repeat itself.

    Args:
        pool: Unlabelled instances.
        forbidden: Instances by name of their set: ``support``, ``validation``, ``development``,
            ``test``.
        near: Definition of near-duplicates.
    """
    index = NearDuplicateIndex(near)
    for name, rows in forbidden.items():
        index.add(name, {row.text: None for row in rows})
    found = {text: index.find(text) for text in {row.text: None for row in pool}}
    seen = set()
    kept, refused = [], []
    for row in pool:
        pair = (row.text, row.head, row.tail)
        if copied := found[row.text]:
            refused.append(Refusal(row.id, *copied))
        elif pair in seen:
            refused.append(Refusal(row.id, "duplicate", 1.0))
        else:
            seen.add(pair)
            kept.append(row)
    return GuardedPool(kept, refused)


def take_unlabelled(
    pool: Sequence[Instance],
    forbidden: Mapping[str, Sequence[Instance]],
    near: NearDuplicateParams,
    most: int,
    sample: str,
) -> tuple[list[Instance], dict[str, Any]]:
    """The first rows of a pool that a sample may use.

    Args:
        pool: Unlabelled instances.
        forbidden: Sets of the sample (``guard_pool``).
        near: Definition of near-duplicates.
        most: Number of rows to take.
        sample: Name of the sample.

    Returns:
        The rows, in the order of the pool: fewer rows are the beginning of more. The counts of
        ``GuardedPool.report``, with the ``sample`` and the numbers ``wanted`` and ``taken``.
    """
    guarded = guard_pool(pool, forbidden, near)
    rows, report = guarded.rows[:most], guarded.report()
    reasons = ", ".join(f"{reason} {n}" for reason, n in report["reasons"].items()) or "none"
    logger.log(
        logging.INFO if len(rows) == most else logging.WARNING,
        "%s: %d of %d unlabelled rows taken, %d wanted; refused as copies: %s",
        sample, len(rows), len(pool), most, reasons,
    )  # fmt: skip
    return rows, {"sample": sample, "wanted": most, "taken": len(rows)} | report


def _unlabelled_rows(text: str, file_format: str, split: str) -> tuple[list[Instance], list[str]]:
    """Rows of a labelled file without their labels; problems of rows that cannot be parsed."""
    rows, problems = [], []
    for place, parse in FORMATS[file_format](text, split):
        try:
            rows.append(without_label(parse()))
        except RowError as error:
            problems.append(f"{place}: {error}")
    return rows, problems


def _training_rows(
    ids_text: str, train_text: str, params: CorpusParams
) -> tuple[list[Instance], list[str]]:
    """Rows of the training split in the order of ids, and problems of the ids.

    Label corrections are not read. Training rows that cannot be parsed have no id.
    """
    ids = [line.strip() for _, line in json_lines(ids_text)]
    parsed, _ = _unlabelled_rows(train_text, params.format, "train")
    rows = {row.id: row for row in parsed}
    unknown = [f"no row {i!r} in {params.train}" for i in dict.fromkeys(ids) if i not in rows]
    found = [rows[i] for i in dict.fromkeys(ids) if i in rows]
    return found, [*_repeated(ids), *unknown]


def _repeated(ids: Sequence[str]) -> list[str]:
    return [f"id {i!r} stands {n} times" for i, n in Counter(ids).items() if n > 1]


def _unknown_types(pool: Sequence[Instance], schema: RelationSchema) -> list[str]:
    return [
        f"{row.id}: {role} {kind!r} is not among the entity_types of relations.yml"
        + did_you_mean(kind, schema.entity_types)
        for row in pool
        for role, kind in (("head_type", row.head_type), ("tail_type", row.tail_type))
        if kind is not None and kind not in schema.entity_types
    ]
