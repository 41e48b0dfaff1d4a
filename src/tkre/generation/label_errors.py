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
from dataclasses import dataclass, replace

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


@dataclass(frozen=True)
class LabelConfidence:
    """Estimates about the labels of a set of rows.

    Attributes:
        right: N probabilities that a row's label is right; 1 for a row that could not be judged.
        wrong_rate: Estimated share of labels that are another relation's, at random.
        inverted_rate: Estimated share of labels that are the right relation's inverse.
        sharpness: The power that the probabilities were raised to.
    """

    right: Floats
    wrong_rate: float
    inverted_rate: float
    sharpness: float


def label_confidence(
    rows: Sequence[Instance], schema: RelationSchema, probabilities_NR: Floats
) -> LabelConfidence:
    """Estimates which labels are right, by maximum likelihood.

    Args:
        rows: Labelled rows.
        schema: The relations.
        probabilities_NR: Out-of-fold probabilities, in the order of the schema's names. A row of
            NaN could not be judged.

    Raises:
        ValueError: The probabilities do not fit the rows and relations.
    """
    own_N, inverse_N = label_numbers(rows, schema, probabilities_NR)
    judged: npt.NDArray[np.bool_] = ~np.isnan(probabilities_NR.sum(axis=1))
    right = np.ones(len(rows))
    if not judged.any():
        return LabelConfidence(right, 0.0, 0.0, 1.0)
    numbers = np.arange(judged.sum())
    own, inverse = own_N[judged], inverse_N[judged]
    logs = np.log(probabilities_NR[judged].clip(1e-12))
    best = -np.inf
    for sharpness in _SHARPNESS:
        sharpened = np.exp(sharpness * (logs - logs.max(axis=1, keepdims=True)))
        sharpened /= sharpened.sum(axis=1, keepdims=True)
        of_own = sharpened[numbers, own]
        of_inverse = np.where(inverse >= 0, sharpened[numbers, inverse], 0.0)
        others = (1 - of_own) / (len(schema.names) - 1)
        likelihoods = np.stack([of_own, of_inverse, others])
        shares = _shares(likelihoods)
        joint = shares[:, None] * likelihoods
        fit = float(np.log(joint.sum(axis=0)).sum())
        if fit > best:
            best = fit
            right[judged] = joint[0] / joint.sum(axis=0)
            found = (float(shares[2]), float(shares[1]), float(sharpness))
    return LabelConfidence(right, *found)


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
    own_N, inverse_N = label_numbers(rows, schema, probabilities_NR)
    judged: npt.NDArray[np.bool_] = ~np.isnan(probabilities_NR.sum(axis=1))
    numbers = np.arange(len(rows))
    others = probabilities_NR.copy()
    others[numbers, own_N] = -np.inf
    likeliest_N = others.argmax(axis=1) if len(rows) else own_N
    names = [
        schema.names[n] if known else None for n, known in zip(likeliest_N, judged, strict=True)
    ]
    return pd.DataFrame(
        {
            "id": [row.id for row in rows],
            "relation": pd.Series([row.relation for row in rows], dtype=object),
            "probability": probabilities_NR[numbers, own_N],
            "likeliest": pd.Series(names, dtype=object),
            "likeliest_probability": np.where(judged, others[numbers, likeliest_N], np.nan),
            "inverted": judged & (likeliest_N == inverse_N),
        }
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
    frame = pd.DataFrame(probabilities_NR, columns=[f"p.{name}" for name in schema.names])
    frame.insert(0, "id", [row.id for row in rows])
    frame.insert(1, "relation", pd.Series([row.relation for row in rows], dtype=object))
    return frame


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


def label_numbers(
    rows: Sequence[Instance], schema: RelationSchema, probabilities_NR: Floats
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The columns of the rows' labels, and of their inverses (-1: none but itself).

    Raises:
        ValueError: The probabilities do not fit the rows and relations.
    """
    if probabilities_NR.shape != (len(rows), len(schema.names)):
        raise ValueError(
            f"probabilities of the shape {probabilities_NR.shape} for {len(rows)} rows and "
            f"{len(schema.names)} relations: score these very rows"
        )
    column = {name: n for n, name in enumerate(schema.names)}
    labels = [str(row.relation) for row in rows]
    inverses = [schema.inverse_of(label) for label in labels]
    inverse_numbers = [
        column[inverse] if inverse is not None and inverse != label else -1
        for label, inverse in zip(labels, inverses, strict=True)
    ]
    own = [column[label] for label in labels]
    return np.array(own, dtype=np.int64), np.array(inverse_numbers, dtype=np.int64)


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
    record = pd.DataFrame(
        {
            "id": [row.id for row in rows],
            "relation": pd.Series([row.relation for row in rows], dtype=object),
            "planted": pd.Series(
                [row.relation if n in chosen else None for n, row in enumerate(noisy)],
                dtype=object,
            ),
        }
    )
    return noisy, record


def filter_scores(planted: pd.DataFrame, rejected: Collection[str]) -> dict[str, float | int]:
    """Precision and recall of a filter on planted labels.

    Args:
        planted: Record of ``plant_noise``.
        rejected: Ids of the rows that the filter rejected.

    Returns:
        ``rows``, ``planted``, ``rejected``, ``found`` (both), ``precision`` and ``recall`` of the
        refusals, per cent, and ``lost``, the share of the right labels that were refused. What has
        no denominator is NaN.

    Raises:
        ValueError: The filter refused a row that was not among these.
    """
    if unknown := set(rejected) - set(planted["id"]):
        raise ValueError(
            f"{len(unknown)} refused rows, such as {min(unknown)!r}, are not among those that "
            "labels were planted in: score the filter of this very set"
        )
    wrong = planted["planted"].notna().to_numpy()
    refused = planted["id"].isin(list(rejected)).to_numpy()
    found = int((wrong & refused).sum())
    return {
        "rows": len(planted),
        "planted": int(wrong.sum()),
        "rejected": int(refused.sum()),
        "found": found,
        "precision": _per_cent(found, int(refused.sum())),
        "recall": _per_cent(found, int(wrong.sum())),
        "lost": _per_cent(int((refused & ~wrong).sum()), int((~wrong).sum())),
    }


def _another(row: Instance, schema: RelationSchema, draw: float) -> str:
    """Another relation than the row's, as a draw from 0 to 1 says."""
    others = [name for name in schema.names if name != row.relation]
    allowed = [name for name in others if schema.allows(name, row.head_type, row.tail_type)]
    choice = allowed or others
    return choice[int(draw * len(choice))]


def _per_cent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else float("nan")
