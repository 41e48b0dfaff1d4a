"""Weights of annotated rows: a language model's stated confidence, calibrated without labels.

A classifier of the other rows (``training.cross_fitting``) agrees with an annotation more often
where its label is right. Two assumptions make the rate of agreement a measure of that: annotations
that are stated with the highest confidence are right, and the classifier is no better at the other
rows. Then the share of right labels at a confidence is the rate of agreement there, divided by the
rate in the fifth of the rows with the highest confidence. Isotonic regression gives the rates: they
may not fall as the confidence rises. Where rows with a low confidence are the harder ones for the
classifier, too, their weights are too low rather than too high.

Rows of a language model that states the same confidence everywhere have equal weights.

Legend of shapes: N rows, R relations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from tkre.core.errors import UserError
from tkre.core.instance import REVIEWED_ID, Instance
from tkre.core.schema import RelationSchema
from tkre.generation.annotation import Annotation, instances_of
from tkre.generation.filtering import INVERTED, LABEL
from tkre.generation.label_errors import Floats, judgements, label_confidence

TRUSTED = 0.2  # share of the rows, those with the highest confidence, whose labels count as right


def calibrated_confidence(stated_N: Floats, agrees_N: npt.NDArray[np.bool_]) -> Floats:
    """Estimated probability that the label of an annotation is right.

    Args:
        stated_N: Confidence that the language model states, 0 to 1.
        agrees_N: Whether a classifier that has not seen the row finds its label the likeliest.

    Returns:
        N probabilities, equal for equal confidences and never lower for a higher one; 1 if no row
        agrees.
    """
    from sklearn.isotonic import isotonic_regression

    _, places_N, counts = np.unique(stated_N, return_inverse=True, return_counts=True)
    rates = np.bincount(places_N, agrees_N) / counts
    rising = isotonic_regression(rates, sample_weight=counts)
    rates_N: Floats = rising[places_N]
    highest = rates_N[stated_N >= np.quantile(stated_N, 1 - TRUSTED)].mean()
    return (rates_N / highest).clip(max=1) if highest > 0 else np.ones(len(stated_N))


def judge_annotations(
    annotations: Sequence[Annotation],
    schema: RelationSchema,
    probabilities_NR: Floats,
    least_confidence: float,
) -> pd.DataFrame:
    """Weights of annotated rows, and suspected errors among their labels.

    Args:
        annotations: N annotated rows.
        schema: The relations.
        probabilities_NR: Out-of-fold probabilities of the rows (``training.cross_fitting``); a row
            of NaN could not be judged and has the weight 1.
        least_confidence: Least probability that a label is right by the model of label errors
            (``generation.label_errors``).

    Returns:
        The columns of ``label_errors.judgements``; ``confidence`` as stated; ``weight``; and
        ``reason``, ``label`` or ``direction`` for a suspected error, None for no suspicion. Rows
        that a person has reviewed have the weight 1, are never suspected, and are no evidence on
        the language model.
    """
    rows = instances_of(annotations)
    frame = judgements(rows, schema, probabilities_NR)
    reviewed_N = np.array([row.reviewed for row in rows], dtype=bool)
    stated_N = np.array([annotation.confidence for annotation in annotations], dtype=float)
    judged_N = frame["likeliest"].notna().to_numpy() & ~reviewed_N
    weights_N = np.ones(len(rows))
    if judged_N.any():
        agrees_N = (frame["probability"] >= frame["likeliest_probability"]).to_numpy()
        weights_N[judged_N] = calibrated_confidence(stated_N[judged_N], agrees_N[judged_N])
    of_the_model_NR = np.where(reviewed_N[:, None], np.nan, probabilities_NR)
    suspected_N = label_confidence(rows, schema, of_the_model_NR) < least_confidence
    reasons = np.where(frame["inverted"], INVERTED, LABEL).astype(object)
    reasons[~suspected_N] = None
    return frame.assign(
        confidence=stated_N, weight=weights_N, reason=pd.Series(reasons, dtype=object)
    )


def with_true_labels(rows: Sequence[Instance], train: Sequence[Instance]) -> list[Instance]:
    """Annotated rows with the labels of the training split that they come from.

    Their triggers, which a language model has named for its own label, are dropped.

    Raises:
        UserError: A row is not one of the training split.
    """
    labels = {row.id: row.relation for row in train}
    # annotation/<corpus>/<id>, reviewed/<id>
    ids = [
        row.id.split("/", 2)[2] if row.annotated else row.id.removeprefix(REVIEWED_ID)
        for row in rows
    ]
    if unknown := [i for i in ids if i not in labels]:
        raise UserError(
            f"true_labels: {len(unknown)} annotated rows, such as {unknown[0]!r}, are no rows of "
            "the training split: only a corpus with unlabelled.train_ids has labels for all"
        )
    return [replace(row, relation=labels[i], triggers=()) for row, i in zip(rows, ids, strict=True)]
