"""K-shot protocol: the labelled rows of a cell.

Samples are deterministic, nested (K = 16 includes K = 8) and independent of earlier runs: every
relation is permuted by its own generator, seeded with the seed and the relation's index in the
sorted schema. No later step reads other rows of the training split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tkre.core.errors import UserError, enumerated
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.core.text import normalised, rows_by_text, same_pair, shared_sentences


class SamplingError(UserError, ValueError):
    """A support set that cannot be sampled, or that holds test instances."""


@dataclass(frozen=True)
class Shots:
    """Labelled rows of a cell.

    Attributes:
        support: K-shot training set, by relation in schema order.
        validation: K-shot set of other rows, to choose an epoch or a threshold.
        shortfalls: Missing rows by set and relation: ``{"support": {...}, ...}``.
        passed_over: Ids of rows excluded from the validation set because they are also test
            instances, each with the id of the test instance.
    """

    support: list[Instance]
    validation: list[Instance]
    shortfalls: dict[str, dict[str, int]]
    passed_over: list[tuple[str, str]]

    def ids(self) -> dict[str, Any]:
        """Ids of the sample for the catalog."""
        return {
            "support": [i.id for i in self.support],
            "validation": [i.id for i in self.validation],
            "shortfalls": self.shortfalls,
            "passed_over": [list(pair) for pair in self.passed_over],
        }


def sample_shots(
    train: Sequence[Instance],
    dev: Sequence[Instance],
    schema: RelationSchema,
    *,
    shots: int,
    seed: int,
    test: Sequence[Instance] = (),
) -> Shots:
    """Sample the support and validation sets for K shots.

    For relation i of the sorted schema, its training rows in file order are permuted by
    ``numpy.random.default_rng([seed, i])``; the first K are the support. Validation rows are the
    next K of that permutation or, if the corpus has a dev split, the first K of that split's rows
    permuted by ``default_rng([seed, i, 1])``. A validation row that is also a test instance (some
    public corpora have such rows) is replaced by the next one. Support rows are not replaced, since
    recorded answers of language models refer to them; see ``unseen_test``. A relation with fewer
    than K rows contributes all of them.

    Args:
        train: Training split, in file order.
        dev: Dev split; empty if there is none.
        schema: Schema of the corpus.
        shots: K, rows per relation.
        seed: Seed of the sample.
        test: Test split.

    Raises:
        SamplingError: A relation has no training row.
    """
    support: list[Instance] = []
    validation: list[Instance] = []
    shortfalls: dict[str, dict[str, int]] = {"support": {}, "validation": {}}
    passed_over: list[tuple[str, str]] = []
    tested = rows_by_text(test)
    for i, relation in enumerate(schema.names):
        rows = _permuted([r for r in train if r.relation == relation], [seed, i])
        if shots and not rows:
            raise SamplingError(
                f"relation {relation!r} of corpus {schema.corpus} has no training row: give it "
                "some, or take it out of relations.yml"
            )
        golden, others = rows[:shots], rows[shots:]
        if dev:
            others = _permuted([r for r in dev if r.relation == relation], [seed, i, 1])
        held_out: list[Instance] = []
        for row in others:
            if len(held_out) == shots:
                break
            if copies := [i.id for i in tested.get(normalised(row.text), []) if same_pair(row, i)]:
                passed_over.append((row.id, copies[0]))
            else:
                held_out.append(row)
        support += golden
        validation += held_out
        for name, chosen in (("support", golden), ("validation", held_out)):
            if len(chosen) < shots:
                shortfalls[name][relation] = shots - len(chosen)
    return Shots(support, validation, shortfalls, passed_over)


def development_rows(shots: Shots, others: Sequence[Shots]) -> list[Instance]:
    """Development rows: the K-shot sets of other seeds without the sentences of this sample.

    Only experiments that score on ``development`` read them, and never to train.

    Args:
        shots: Sample to score.
        others: Samples of the same corpus and K with the other seeds of the protocol.

    Returns:
        Rows sorted by id, each once.
    """
    own = {normalised(i.text) for i in (*shots.support, *shots.validation)}
    rows = {i.id: i for other in others for i in (*other.support, *other.validation)}
    return [rows[i] for i in sorted(rows) if normalised(rows[i].text) not in own]


def unseen_test(
    shots: Shots,
    test: Sequence[Instance],
    corpus: str,
    on_leakage: Literal["stop", "set_aside"] = "stop",
) -> tuple[list[Instance], dict[str, Any]]:
    """Test instances that are not in the support of a sample.

    Args:
        shots: Sample.
        test: Test split.
        corpus: Name of the corpus for messages.
        on_leakage: ``set_aside`` drops test instances that are in the support.

    Returns:
        The instances, and the report of the sample: dropped pairs, and sentences shared by support
        or validation and test with other mentions (kept).

    Raises:
        SamplingError: A test instance is in the support, and ``on_leakage`` is ``stop``.
    """
    same, in_support = shared_sentences(shots.support, test)
    if same and on_leakage == "stop":
        pairs = enumerated([f"{a} = {b}" for a, b in same], 10)
        raise SamplingError(
            f"corpus {corpus}: {len(same)} test instance(s) are in the support set, so a "
            f"score would mean nothing: {pairs}. Take them out of one of the files, or set "
            f"corpora.{corpus}.on_leakage to set_aside: they are not scored then."
        )
    aside = {test_id for _, test_id in same}
    _, in_validation = shared_sentences(shots.validation, test)
    report = {"support": in_support, "validation": in_validation}
    return [i for i in test if i.id not in aside], {
        "set_aside": [list(pair) for pair in same],
        "sentences_shared_with_test": {
            name: [list(pair) for pair in pairs] for name, pairs in report.items()
        },
    }


def require_unseen(shots: Shots, natural_test: Sequence[Instance], corpus: str) -> None:
    """Refuse a support set with a sentence of the natural test, whichever pair it marks.

    Raises:
        SamplingError: There is such a sentence.
    """
    if found := [pair for pairs in shared_sentences(shots.support, natural_test) for pair in pairs]:
        pairs = enumerated([f"{a} = {b}" for a, b in found], 10)
        raise SamplingError(
            f"corpus {corpus}: sentences of the natural test are in the support set: {pairs}. Take "
            "them out of one of the files: natural_test is scored and never trained on."
        )


def _permuted(rows: list[Instance], entropy: list[int]) -> list[Instance]:
    return [rows[n] for n in np.random.default_rng(entropy).permutation(len(rows))]
