"""The K-shot protocol: which labelled rows a cell may see.

Deterministic, nested (what K = 8 sees, K = 16 sees too) and independent of what ran before: every
relation is permuted by a generator of its own, made from the seed and the relation's place in the
sorted schema. Nothing else of the training split is read by any later step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema


class SamplingError(ValueError):
    """A support set that cannot be drawn, or that test data is part of."""


@dataclass(frozen=True)
class Shots:
    """The labelled rows of a cell.

    Attributes:
        support: The K-shot training set, by relation in schema order.
        validation: A K-shot set of other rows, for choosing an epoch or a threshold.
        shortfalls: Rows that relations lack, by set and relation: ``{"support": {...}, ...}``.
        passed_over: Rows that would be in the validation set were they not test instances too,
            each with the test instance's id.
    """

    support: list[Instance]
    validation: list[Instance]
    shortfalls: dict[str, dict[str, int]]
    passed_over: list[tuple[str, str]]

    def ids(self) -> dict[str, Any]:
        """What the catalog keeps of the sample, to be compared and published."""
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
    """The support and validation sets for K shots.

    For relation i of the sorted schema, its training rows in file order are permuted by
    ``numpy.random.default_rng([seed, i])``; the first K are the support. Validation rows are the
    next K of that permutation, or, where the corpus has a dev split, the first K of that split's
    rows permuted by ``default_rng([seed, i, 1])``. A row that is a test instance too, as public
    corpora have some, is passed over for the one after it. (Not so in the support: what a language
    model was asked about it belongs to these very rows; see ``unseen_test``.) A relation with
    fewer rows gives what it has.

    Args:
        train: The training split, in file order.
        dev: The dev split; empty where there is none.
        schema: The relations.
        shots: K, rows per relation.
        seed: Of the cell.
        test: The test split.

    Raises:
        SamplingError: A relation has no training row at all.
    """
    support: list[Instance] = []
    validation: list[Instance] = []
    shortfalls: dict[str, dict[str, int]] = {"support": {}, "validation": {}}
    passed_over: list[tuple[str, str]] = []
    tested = _by_text(test)
    for i, relation in enumerate(schema.names):
        rows = _permuted([r for r in train if r.relation == relation], [seed, i])
        if shots and not rows:
            raise SamplingError(
                f"relation {relation!r} of corpus {schema.corpus} has no training row: give it "
                "some, or take it out of relations.yml"
            )
        others = rows[shots:]
        if dev:
            others = _permuted([r for r in dev if r.relation == relation], [seed, i, 1])
        held_out: list[Instance] = []
        for row in others:
            if len(held_out) == shots:
                break
            if copies := [i.id for i in tested.get(normalised(row.text), []) if _same_pair(row, i)]:
                passed_over.append((row.id, copies[0]))
            else:
                held_out.append(row)
        support += rows[:shots]
        validation += held_out
        for name, chosen in (("support", rows[:shots]), ("validation", held_out)):
            if len(chosen) < shots:
                shortfalls[name][relation] = shots - len(chosen)
    return Shots(support, validation, shortfalls, passed_over)


def development_rows(shots: Shots, others: Sequence[Shots]) -> list[Instance]:
    """Rows to choose a recipe on: the K-shot sets of other seeds, less this sample's own.

    Only experiments that score on ``development`` read them, and never to train.

    Args:
        shots: The sample that is scored.
        others: The same corpus and K with the protocol's other seeds.

    Returns:
        Each row once, by id; none whose sentence is also in the sample's own sets.
    """
    own = {normalised(i.text) for i in (*shots.support, *shots.validation)}
    rows = {i.id: i for other in others for i in (*other.support, *other.validation)}
    return [rows[i] for i in sorted(rows) if normalised(rows[i].text) not in own]


def shared_sentences(
    rows: Sequence[Instance], others: Sequence[Instance]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Pairs of ids whose sentences are the same up to case and white space.

    Returns:
        The pairs that also mark the same mentions, then those that mark others (one sentence
        annotated twice, as public corpora have).
    """
    by_text = _by_text(others)
    same: list[tuple[str, str]] = []
    differing: list[tuple[str, str]] = []
    for row in rows:
        for other in by_text.get(normalised(row.text), []):
            (same if _same_pair(row, other) else differing).append((row.id, other.id))
    return same, differing


def unseen_test(
    shots: Shots,
    test: Sequence[Instance],
    corpus: str,
    on_leakage: Literal["stop", "set_aside"] = "stop",
) -> tuple[list[Instance], dict[str, Any]]:
    """The test instances that a sample may be scored on: none of them is in its support.

    Args:
        shots: The sample.
        test: The test split.
        corpus: Its name, for the error.
        on_leakage: ``set_aside`` leaves a test instance out that is in the support.

    Returns:
        The instances; what is told of the sample: the pairs set aside, and which sentences support
        and validation share with the test split with other mentions marked (kept).

    Raises:
        SamplingError: The same sentence with the same mentions is on both sides, and nothing is
            to be set aside.
    """
    same, in_support = shared_sentences(shots.support, test)
    if same and on_leakage == "stop":
        pairs = ", ".join(f"{a} = {b}" for a, b in same[:10])
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


def _permuted(rows: list[Instance], entropy: list[int]) -> list[Instance]:
    return [rows[n] for n in np.random.default_rng(entropy).permutation(len(rows))]


def _by_text(rows: Sequence[Instance]) -> dict[str, list[Instance]]:
    found: dict[str, list[Instance]] = {}
    for row in rows:
        found.setdefault(normalised(row.text), []).append(row)
    return found


def _same_pair(one: Instance, other: Instance) -> bool:
    """Whether two instances of one sentence mark the same mentions."""
    pairs = {(normalised(i.head_text), normalised(i.tail_text)) for i in (one, other)}
    return len(pairs) == 1


def normalised(text: str) -> str:
    """A text as sentences are compared: without case, white space as single blanks."""
    return " ".join(text.lower().split())
