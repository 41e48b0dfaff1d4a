"""Label errors: their probability for each row, suspected errors, and planted noise.

Out-of-fold probabilities of a classifier do not give label errors by a fixed threshold: a weak
classifier is unsure of right labels too. The set is modelled as a mixture of three kinds of rows
(right label; right relation in the wrong direction; any other relation), whose shares are found by
expectation maximisation. Bayes' rule then gives the probability that a label is right. (Confident
learning, Northcutt et al. 2021, estimates the whole confusion matrix, which takes more rows.)

Shapes: N rows, R relations.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema

Floats = npt.NDArray[np.float64]
# Powers that probabilities are raised to before normalisation: a strongly regularised classifier,
# as few rows require, is underconfident.
_SHARPNESS = np.geomspace(1.0, 8.0, 25)
_STEPS, _CLOSE_ENOUGH = 300, 1e-6


def label_confidence(
    rows: Sequence[Instance], schema: RelationSchema, probabilities_NR: Floats
) -> Floats:
    """Estimates which labels are right, by maximum likelihood.

    Args:
        rows: Labelled rows.
        schema: The relations.
        probabilities_NR: Out-of-fold probabilities, in the order of the schema's names. A row of
            NaN could not be judged.

    Returns:
        N probabilities that a row's label is right; 1 for a row that could not be judged.

    Raises:
        ValueError: The probabilities do not fit the rows and relations.
    """
    label_N, inverse_N, judged_N = _columns(rows, schema, probabilities_NR)
    right_N = np.ones(len(rows))
    if not judged_N.any():
        return right_N
    numbers = np.arange(judged_N.sum())
    labels, inverses = label_N[judged_N], inverse_N[judged_N]
    logs = np.log(probabilities_NR[judged_N].clip(1e-12))
    logs -= logs.max(axis=1, keepdims=True)
    best = -np.inf
    for sharpness in _SHARPNESS:
        sharpened = np.exp(sharpness * logs)
        sharpened /= sharpened.sum(axis=1, keepdims=True)
        of_label = sharpened[numbers, labels]
        of_inverse = np.where(inverses >= 0, sharpened[numbers, inverses], 0.0)
        of_others = (1 - of_label) / (len(schema.names) - 1)
        likelihoods = np.stack([of_label, of_inverse, of_others])
        joint = _shares(likelihoods)[:, None] * likelihoods
        fit = float(np.log(joint.sum(axis=0)).sum())
        if fit > best:
            best = fit
            right_N[judged_N] = joint[0] / joint.sum(axis=0)
    return right_N


def judgements(
    rows: Sequence[Instance], schema: RelationSchema, probabilities_NR: Floats
) -> pd.DataFrame:
    """Out-of-fold judgements of labels.

    Args:
        rows: Labelled rows.
        schema: The relations.
        probabilities_NR: Out-of-fold probabilities (``label_confidence``).

    Returns:
        A row per instance, in their order: ``id``, ``relation``, ``probability`` of it,
        ``likeliest`` (of the other relations), ``likeliest_probability``, and ``inverted``
        (whether that is the inverse of the label). Rows that could not be judged have no numbers.
    """
    label_N, inverse_N, judged_N = _columns(rows, schema, probabilities_NR)
    numbers = np.arange(len(rows))
    others_NR = probabilities_NR.copy()
    others_NR[numbers, label_N] = -np.inf
    likeliest_N = others_NR.argmax(axis=1) if len(rows) else label_N
    likeliest = np.array(schema.names, dtype=object)[likeliest_N]
    likeliest[~judged_N] = None
    return _labelled(
        rows,
        probability=probabilities_NR[numbers, label_N],
        likeliest=pd.Series(likeliest, dtype=object),
        likeliest_probability=np.where(judged_N, others_NR[numbers, likeliest_N], np.nan),
        inverted=judged_N & (likeliest_N == inverse_N),
    )


def suspected_label_errors(
    rows: Sequence[Instance], schema: RelationSchema, probabilities_NR: Floats
) -> pd.DataFrame:
    """Ranks rows by how likely their label is wrong, by a classifier that has not seen them.

    Args:
        rows: Labelled rows.
        schema: The relations.
        probabilities_NR: Out-of-fold probabilities (``label_confidence``).

    Returns:
        The columns of ``judgements`` and ``error_score``, the share of the likeliest other relation
        in its and the label's probability: above one half, the classifier prefers it. The most
        suspected row is first; rows that could not be judged are last.
    """
    frame = judgements(rows, schema, probabilities_NR)
    likeliest = frame["likeliest_probability"]
    frame["error_score"] = likeliest / (likeliest + frame["probability"])
    return frame.sort_values("error_score", ascending=False, kind="stable", ignore_index=True)


def probability_frame(
    rows: Sequence[Instance], schema: RelationSchema, probabilities_NR: Floats
) -> pd.DataFrame:
    """Probabilities as a frame: ``id``, ``relation``, and ``p.<relation>`` for every relation."""
    columns = [f"p.{name}" for name in schema.names]
    return _labelled(rows, **dict(zip(columns, probabilities_NR.T, strict=True)))


def probabilities_of(
    frame: pd.DataFrame, rows: Sequence[Instance], schema: RelationSchema
) -> Floats:
    """The N x R probabilities of a ``probability_frame`` of these rows.

    Raises:
        ValueError: It was made of other rows, or of these with other labels.
    """
    expected = [(row.id, row.relation) for row in rows]
    if list(zip(frame["id"], frame["relation"], strict=True)) != expected:
        raise ValueError(
            f"these are the probabilities of {len(frame)} rows, not of these {len(rows)} with "
            "their labels: score the rows again"
        )
    return frame[[f"p.{name}" for name in schema.names]].to_numpy(dtype=float)


def _columns(
    rows: Sequence[Instance], schema: RelationSchema, probabilities_NR: Floats
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Columns of the labels, columns of their inverses (-1: none), and which rows were judged.

    Raises:
        ValueError: The probabilities do not fit the rows and relations.
    """
    if probabilities_NR.shape != (len(rows), len(schema.names)):
        raise ValueError(
            f"probabilities of the shape {probabilities_NR.shape} for {len(rows)} rows and "
            f"{len(schema.names)} relations: score these very rows"
        )
    column = {name: n for n, name in enumerate(schema.names)}
    inverse = {name: schema.inverse_of(name) for name in schema.names}
    inverse_column = {
        name: -1 if other in (None, name) else column[other] for name, other in inverse.items()
    }
    labels = [str(row.relation) for row in rows]
    return (
        np.array([column[label] for label in labels], dtype=np.int64),
        np.array([inverse_column[label] for label in labels], dtype=np.int64),
        ~np.isnan(probabilities_NR.sum(axis=1)),
    )


def _shares(likelihoods_3N: Floats) -> Floats:
    """The shares of the three kinds of rows: expectation maximisation from mostly right labels."""
    shares = np.array([0.85, 0.05, 0.1])
    for _ in range(_STEPS):
        joint = shares[:, None] * likelihoods_3N
        last, shares = shares, (joint / joint.sum(axis=0)).mean(axis=1)
        if np.abs(shares - last).sum() < _CLOSE_ENOUGH:
            break
    return shares


def plant_noise(
    rows: Sequence[Instance], schema: RelationSchema, share: float, seed: int
) -> tuple[list[Instance], pd.DataFrame]:
    """Replaces the labels of a share of the rows by other relations, drawn at random.

    Where rows have entity types, only relations that the schema allows for them are drawn, if
    there are any: a label that the types forbid is found without reading the sentence, and would
    flatter a filter. A row that is wrong at some share is as wrong at every larger one.

    Args:
        rows: Rows with right labels, as far as known.
        schema: The relations.
        share: Share of the rows, 0 to 1.
        seed: Seed of the draw.

    Returns:
        The rows, in their order; which labels were planted: ``id``, ``relation`` (as it was),
        ``planted`` (as it is now; None where it was left alone). Only an evaluation may read it.

    Raises:
        ValueError: The share is not one.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} of the labels: it must be between 0 and 1")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(rows))
    # One draw per row, whether it is used or not, so that shares are nested.
    draws = generator.random(len(rows))
    chosen = set(order[: round(share * len(rows))].tolist())
    noisy = [
        replace(row, relation=_another(row, schema, draws[n])) if n in chosen else row
        for n, row in enumerate(rows)
    ]
    planted = [row.relation if n in chosen else None for n, row in enumerate(noisy)]
    return noisy, _labelled(rows, planted=pd.Series(planted, dtype=object))


def filter_scores(planted: pd.DataFrame, rejected: Collection[str]) -> dict[str, float | int]:
    """Precision and recall of a filter on planted labels.

    Args:
        planted: Record of ``plant_noise``.
        rejected: Ids of the rows that the filter rejected.

    Returns:
        ``rows``, ``planted``, ``rejected``, ``found`` (both), ``precision`` and ``recall`` of the
        rejected rows, per cent, and ``lost``, the share of the right labels that were rejected.
        A ratio without a denominator is NaN.

    Raises:
        ValueError: A rejected row has no record.
    """
    if unknown := set(rejected) - set(planted["id"]):
        raise ValueError(
            f"{len(unknown)} rejected rows, such as {min(unknown)!r}, are not among those that "
            "labels were planted in: score the filter of this very set"
        )
    wrong = planted["planted"].notna().to_numpy()
    is_rejected = planted["id"].isin(list(rejected)).to_numpy()
    found = int((wrong & is_rejected).sum())
    return {
        "rows": len(planted),
        "planted": int(wrong.sum()),
        "rejected": int(is_rejected.sum()),
        "found": found,
        "precision": per_cent(found, int(is_rejected.sum())),
        "recall": per_cent(found, int(wrong.sum())),
        "lost": per_cent(int((is_rejected & ~wrong).sum()), int((~wrong).sum())),
    }


def _labelled(rows: Sequence[Instance], **columns: Any) -> pd.DataFrame:
    """A frame with ``id`` and ``relation`` of rows before the columns."""
    labels = pd.Series([row.relation for row in rows], dtype=object)
    return pd.DataFrame({"id": [row.id for row in rows], "relation": labels, **columns})


def _another(row: Instance, schema: RelationSchema, draw: float) -> str:
    """Another relation than the row's, chosen by a draw from 0 to 1."""
    others = [name for name in schema.names if name != row.relation]
    allowed = [name for name in others if schema.allows(name, row.head_type, row.tail_type)]
    choice = allowed or others
    return choice[int(draw * len(choice))]


def per_cent(part: int, whole: int) -> float:
    """A share in per cent; NaN without a whole."""
    return 100 * part / whole if whole else float("nan")
