"""The unlabelled pool of a corpus: sentences with a marked pair that a language model may label.

A pool is a file, or rows of the training split by their ids. Labels are dropped where rows are
read. Before a sample uses the pool, sentences of its other sets are taken out.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tkre.core.cells import IN_ORDER, KShotSample
from tkre.core.errors import listed
from tkre.core.instance import DISTILLED_ID, Instance
from tkre.core.schema import RelationSchema
from tkre.core.text import NearDuplicateIndex, NearDuplicateParams, pair_key, sentence_rank
from tkre.corpora.formats import numbered_lines
from tkre.corpora.params import FORMATS, NATURAL_TEST, CorpusParams
from tkre.corpora.reading import CorpusError, PlacedRows
from tkre.corpora.records import RowError, id_problem, instance_problem, order_problem
from tkre.corpora.unlabelled import read_unlabelled

logger = logging.getLogger(__name__)

ORDERED = "leave out such pairs (kedro corpus candidates --pairs text-order marks none)"


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
            them with their places. So are tails that precede their heads where the corpus says
            ``head_first``: its classifiers read no feature of the order.
    """
    if params.unlabelled is None:
        return []
    source = params.unlabelled

    def problem_of(row: Instance) -> str | None:
        problem = instance_problem(row, schema.entity_types)
        if problem is None and params.head_first:
            problem = order_problem(row, schema.corpus, ORDERED)
        return problem

    name = f"{schema.corpus}/{source.file or source.train_ids}"
    if source.train_ids is not None:
        rows, problems = _training_rows(read(source.train_ids), read(params.train), params)
    elif source.format is not None:
        rows, problems = _unlabelled_rows(read(str(source.file)), source.format, "unlabelled")
    else:
        return read_unlabelled(read(str(source.file)), name, problem_of)
    taken: dict[str, str] = {}
    for place, row in rows:
        if problem := id_problem(row.id, taken) or problem_of(row):
            problems.append(f"{place}: {problem}")
        taken.setdefault(row.id, place)
    if problems:
        lines = listed([f"  {name}: {problem}" for problem in problems])
        raise CorpusError("\n".join([f"{len(problems)} bad unlabelled row(s):", *lines]))
    return [row for _, row in rows]


def read_unannotated(
    read: Callable[[str], str],
    params: CorpusParams,
    pool: Sequence[Instance],
    annotated: Sequence[Instance],
) -> list[Instance]:
    """Read the unlabelled rows that no language model labels, for a classifier that does.

    Args:
        read: Returns the text of a file by its name within the folder.
        params: Files of the corpus.
        pool: Its unlabelled pool.
        annotated: Annotated instances; all rows of their sentences are left out.

    Returns:
        Rows of the pool, then the training rows that are not in it if the corpus has
        ``other_train``; without labels.
    """
    rows = list(pool)
    if params.unlabelled is not None and params.unlabelled.other_train:
        parsed, _ = _unlabelled_rows(read(params.train), params.format, "train")
        listed_ids = {row.id for row in pool}
        # Bad rows of the training split are refused, or counted, where it is read.
        rows += [
            row
            for _, row in parsed
            if row.id not in listed_ids
            and instance_problem(row, None) is None
            and not (params.head_first and order_problem(row, ""))
        ]
    labelled = {row.text for row in annotated}
    return [row for row in rows if row.text not in labelled]


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

    @property
    def reasons(self) -> str:
        """Reasons of the refused rows with their counts, in words."""
        reasons = self.report()["reasons"]
        return ", ".join(f"{reason} {n}" for reason, n in reasons.items()) or "none"


def other_sets(
    support: list[Instance],
    validation: list[Instance],
    development: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
) -> dict[str, list[Instance]]:
    """Sets of a sample whose sentences no row of the unlabelled text may copy, by their names."""
    return {
        "support": support, "validation": validation, "development": development, "test": test,
        NATURAL_TEST: natural_test,
    }  # fmt: skip


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
        pair = pair_key(row)
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
    sample: KShotSample,
    kept_out: float,
) -> tuple[list[Instance], dict[str, Any]]:
    """The rows of a pool that a sample annotates, or that these are chosen from.

    Args:
        pool: Unlabelled instances.
        forbidden: Sets of the sample (``guard_pool``).
        near: Definition of near-duplicates.
        sample: The sample, with the number of rows and the way of choosing them.
        kept_out: Share of the sentences that never train.

    Returns:
        As many rows as the sample annotates, those that are kept out first; fewer are among more.
        Where they are not taken in order, all that it may use. The counts of
        ``GuardedPool.report``, with the ``sample``, the numbers ``wanted`` and ``taken`` (at most)
        and ``kept_out``, and the way they are ``chosen``.
    """
    guarded = guard_pool(pool, forbidden, near)
    kept, others = kept_out_first(guarded.rows, sample.annotated, kept_out, sample.seed)
    rows = [*kept, *others][: sample.annotated]
    logger.log(
        logging.INFO if len(rows) == sample.annotated else logging.WARNING,
        "%s: %d of %d unlabelled rows taken, %d wanted, %d kept out; refused as copies: %s",
        sample.name, len(rows), len(pool), sample.annotated, len(kept), guarded.reasons,
    )  # fmt: skip
    report = {
        "sample": sample.name, "wanted": sample.annotated, "taken": len(rows),
        "kept_out": len(kept), "chosen": sample.chosen,
    }  # fmt: skip
    return (rows if sample.chosen == IN_ORDER else guarded.rows), report | guarded.report()


def take_unannotated(
    rows: Sequence[Instance],
    forbidden: Mapping[str, Sequence[Instance]],
    near: NearDuplicateParams,
    sample: KShotSample,
) -> tuple[list[Instance], dict[str, Any]]:
    """The rows without annotation that a teacher labels, with ids of natural text.

    Args:
        rows: Unlabelled instances (``read_unannotated``).
        forbidden: Sets of the sample (``guard_pool``).
        near: Definition of near-duplicates.
        sample: The sample.

    Returns:
        The rows; the counts of ``GuardedPool.report``, with ``sample`` and the number ``taken``.

    Raises:
        CorpusError: There is none: a teacher would have nothing to label.
    """
    guarded = guard_pool(rows, forbidden, near)
    logger.info(
        "%s: a teacher labels %d unannotated rows; refused as copies: %s",
        sample.name, len(guarded.rows), guarded.reasons,
    )  # fmt: skip
    if not guarded.rows:
        raise CorpusError(
            f"{sample.name}: every unlabelled row is annotated or copies a row of the sample, so a "
            "teacher has none to label: add unlabelled text, or take a variant without "
            "distilled_from"
        )
    taken = [replace(row, id=f"{DISTILLED_ID}{sample.corpus}/{row.id}") for row in guarded.rows]
    return taken, {"sample": sample.name, "taken": len(taken)} | guarded.report()


def is_kept_out(sentence: str, share: float, seed: int) -> bool:
    """Whether the rows of a sentence never train.

    It depends on the sentence and the seed of the sample alone (``core.text.sentence_rank``), so it
    is the same for any number of annotated rows.
    """
    return sentence_rank(sentence, seed) < share


def kept_out_first(
    rows: Sequence[Instance], most: int, share: float, seed: int
) -> tuple[list[Instance], list[Instance]]:
    """Splits rows into those to annotate and keep out of training, and those that may train.

    Args:
        rows: Unlabelled instances.
        most: Number of rows to annotate.
        share: Share of the sentences that are kept out, and of ``most``.
        seed: Seed of the sample.

    Returns:
        Rows of a random sample of the sentences, at most ``share`` of ``most`` unless too few
        others are left; all rows of the sentences that may train, in their order.
    """
    kept: list[Instance] = []
    others: list[Instance] = []
    for row in rows:
        (kept if is_kept_out(row.text, share, seed) else others).append(row)
    number = max(round(share * most), most - len(others))
    return sorted(kept, key=lambda row: sentence_rank(row.text, seed))[:number], others


def _unlabelled_rows(text: str, file_format: str, split: str) -> tuple[PlacedRows, list[str]]:
    """Rows of a labelled file without their labels; problems of rows that cannot be parsed."""
    rows, problems = [], []
    for place, parse in FORMATS[file_format](text, split):
        try:
            rows.append((place, without_label(parse())))
        except RowError as error:
            problems.append(f"{place}: {error}")
    return rows, problems


def _training_rows(
    ids_text: str, train_text: str, params: CorpusParams
) -> tuple[PlacedRows, list[str]]:
    """Rows of the training split in the order of ids, with the places and problems of the ids.

    Label corrections are not read. Training rows that cannot be parsed have no id.
    """
    ids = [(line.strip(), f"line {number}") for number, line in numbered_lines(ids_text)]
    parsed, _ = _unlabelled_rows(train_text, params.format, "train")
    by_id = {row.id: row for _, row in parsed}
    wanted: dict[str, str] = {}
    for i, place in ids:
        wanted.setdefault(i, place)
    unknown = [
        f"no row {i!r} in {params.train} ({place})" for i, place in wanted.items() if i not in by_id
    ]
    found = [(place, by_id[i]) for i, place in wanted.items() if i in by_id]
    return found, [*_repeated(ids), *unknown]


def _repeated(ids: Iterable[tuple[str, str]]) -> list[str]:
    """Messages on ids that stand at several places.

    Args:
        ids: Ids with their places.
    """
    places: dict[str, list[str]] = {}
    for i, place in ids:
        places.setdefault(i, []).append(place)
    return [
        f"id {i!r} stands {len(found)} times: {', '.join(found)}"
        for i, found in places.items()
        if len(found) > 1
    ]
