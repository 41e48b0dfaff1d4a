"""Judges rows by a classifier that was not trained on them: cross-fitted logistic regression.

It works on frozen features of a stock backbone, so that judging all rows takes seconds. Every row
is read in both directions: it also trains with head and tail exchanged under its inverse relation,
and its probabilities are the mean of both readings. Near-duplicates of a row are held out with it.

Legend of shapes: N rows, F features, R relations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.core.text import near_duplicate_groups
from tkre.generation.label_errors import label_confidence
from tkre.generation.params import CrossFitParams, Judged
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.runtime import device
from tkre.modeling.tokenization import Flags, Ints
from tkre.training.finetuning import LinearProbe
from tkre.training.inference import features_of
from tkre.training.scoring import Probabilities

Floats = npt.NDArray[np.float64]


def judge(
    start: Checkpoint,
    golden: Sequence[Instance],
    others: Sequence[Instance],
    schema: RelationSchema,
    params: CrossFitParams,
    *,
    judged: Judged,
    seed: int,
) -> Probabilities:
    """Probabilities of golden rows, or of the others, by a classifier of all other rows.

    Synthetic rows are judged in rounds: each trains with the confidence in its label of the round
    before as its weight. Golden and annotated rows are judged in one round: further ones confirm
    the errors of a language model in annotated rows, which are not made at random.

    Args:
        start: A stock backbone; it is not changed.
        golden: Trusted rows; they train with ``golden_weight``.
        others: Synthetic or annotated rows.
        schema: The relations.
        params: Parameters of the classifier.
        judged: The rows that are held out fold by fold: ``support``, the golden ones, or the others
            by their kind. The rest always trains, except for near-duplicates of a judged row.
        seed: Seed of the folds.

    Returns:
        N x R probabilities of the judged rows, columns in the order of the schema's names. A row
        whose relation has no other row cannot be judged: NaN.
    """
    if not (golden if judged == "support" else others):
        return np.zeros((0, len(schema.names)))
    readings = _read(start, [*golden, *others], schema, params)
    is_golden = np.arange(len(readings.labels)) < len(golden)
    held = is_golden if judged == "support" else ~is_golden
    weights = np.where(is_golden, params.golden_weight, 1.0)
    probabilities = _out_of_fold(readings, held, weights, params, seed)[held]
    for _ in range(params.rounds - 1 if judged == "synthetic" else 0):
        weights[held] = label_confidence(others, schema, probabilities)
        probabilities = _out_of_fold(readings, held, weights, params, seed)[held]
    return probabilities


@dataclass(frozen=True)
class Readings:
    """Rows in both directions.

    Attributes:
        forward: N x F features, standardised.
        inverted: N x F features with head and tail exchanged.
        labels: N label numbers.
        inverses: R label numbers with head and tail exchanged, -1 where the schema has none.
        groups: N numbers, equal for near-duplicates.
    """

    forward: Floats
    inverted: Floats
    labels: Ints
    inverses: Ints
    groups: Ints


def _read(
    start: Checkpoint, rows: Sequence[Instance], schema: RelationSchema, params: CrossFitParams
) -> Readings:
    column = {name: n for n, name in enumerate(schema.names)}
    forward, inverted = read_both_ways(start, rows, params)
    texts = [row.text for row in rows]
    return Readings(
        forward,
        inverted,
        np.array([column[str(row.relation)] for row in rows], dtype=np.int64),
        inverse_numbers(schema),
        np.array(near_duplicate_groups(texts, params)),
    )


def inverse_numbers(schema: RelationSchema) -> Ints:
    """R label numbers with head and tail exchanged, -1 where the schema has none."""
    inverses = [schema.inverse_of(name) for name in schema.names]
    return np.array([-1 if name is None else schema.names.index(name) for name in inverses])


def read_both_ways(
    start: Checkpoint, rows: Sequence[Instance], params: CrossFitParams
) -> tuple[Floats, Floats]:
    """Features of rows in both directions.

    Args:
        start: A stock backbone.
        rows: N rows; their labels are not read.
        params: The layers that are pooled.

    Returns:
        Two arrays of N x F' features, standardised over both, and rotated so that F' is at most the
        number of readings: a regularised linear classifier gives the same results for them.
    """
    model = RelationClassifier.from_masked_lm(
        start.model, head="spans", layers=params.layers, max_length=params.max_length
    ).to(device())
    readings = [*rows, *(row.inverted() for row in rows)]
    features = features_of(model, start.tokenizer, readings)
    features = (features - features.mean(axis=0)) / features.std(axis=0).clip(min=1e-5)
    if len(features) < features.shape[1]:
        values, vectors = np.linalg.eigh(features @ features.T)
        real = values > values.max() * 1e-9
        features = vectors[:, real] * np.sqrt(values[real])
    return features[: len(rows)], features[len(rows) :]


def _out_of_fold(
    readings: Readings, held: Flags, weights: Floats, params: CrossFitParams, seed: int
) -> Probabilities:
    """N x R probabilities of the rows that are held out in turn; NaN for all others."""
    folds = _folds(readings, held, params.folds, seed)
    probabilities = np.full((len(held), len(readings.inverses)), np.nan)
    for fold in range(params.folds):
        out = held & (folds == fold)
        # Rows that are never held out do not train for a near-duplicate either.
        training = ~np.isin(readings.groups, readings.groups[out])
        if out.any():
            probabilities[out] = _judge_fold(readings, training, out, weights, params)
    return probabilities


def _folds(readings: Readings, held: Flags, folds: int, seed: int) -> Ints:
    """The fold of every row: near-duplicates in one, the rows of a relation spread over all."""
    order = np.random.default_rng(seed).permutation(len(held))
    order = order[np.argsort(readings.labels[order], kind="stable")]
    of_group: dict[int, int] = {}
    for number in order[held[order]].tolist():
        of_group.setdefault(int(readings.groups[number]), len(of_group) % folds)
    return np.array([of_group.get(int(group), -1) for group in readings.groups], dtype=np.int64)


def _judge_fold(
    readings: Readings, training: Flags, out: Flags, weights: Floats, params: CrossFitParams
) -> Probabilities:
    """The results of ``judge_rows``; NaN for a row whose label no row that trains has."""
    judged, labels = judge_rows(readings, training, out, weights, params)
    judged[~np.isin(readings.labels[out], labels)] = np.nan
    return judged


def judge_rows(
    readings: Readings, training: Flags, out: Flags, weights: Floats, params: CrossFitParams
) -> tuple[Probabilities, Ints]:
    """Judges rows by a classifier of others.

    Args:
        readings: N rows in both directions; labels of those that are judged are not read.
        training: N flags of the rows that train.
        out: N flags of the rows that are judged.
        weights: N weights in training.
        params: Parameters of the classifier.

    Returns:
        M x R probabilities of the judged rows, NaN if the others have fewer than two labels; the
        labels of the classifier.
    """
    inverses = np.where(training, readings.inverses[readings.labels], -1)
    both = inverses >= 0
    labels = np.concatenate([readings.labels[training], inverses[both]])
    judged = np.full((int(out.sum()), len(readings.inverses)), np.nan)
    if len(set(labels.tolist())) < 2:
        return judged, np.unique(labels)
    classifier = LinearProbe(C=params.inverse_regularisation, max_iter=1000)
    classifier.fit(
        np.concatenate([readings.forward[training], readings.inverted[both]]),
        labels,
        sample_weight=np.concatenate([weights[training], weights[both]]),
    )
    forward, inverted = np.zeros_like(judged), np.zeros_like(judged)
    forward[:, classifier.classes_] = classifier.predict_proba(readings.forward[out])
    inverted[:, classifier.classes_] = classifier.predict_proba(readings.inverted[out])
    known = np.flatnonzero(readings.inverses >= 0)
    mixed = forward.copy()
    mixed[:, known] = (forward[:, known] + inverted[:, readings.inverses[known]]) / 2
    return mixed / mixed.sum(axis=1, keepdims=True), classifier.classes_
