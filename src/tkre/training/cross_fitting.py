"""What a classifier says of rows that it was not trained on: logistic regression, cross-fitted.

On the frozen features of a stock backbone, so that judging all rows takes seconds. Every row is
read both ways: it trains with head and tail exchanged under its inverse relation too, and what is
said of it is the mean of both readings. Near-copies of a row are held out together with it.

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
from tkre.generation.params import CrossFitParams
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.runtime import device
from tkre.training.inference import features_of
from tkre.training.linear_probe import LinearProbe
from tkre.training.scoring import Probabilities

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def judge_synthetic(
    start: Checkpoint,
    golden: Sequence[Instance],
    synthetic: Sequence[Instance],
    schema: RelationSchema,
    params: CrossFitParams,
    *,
    seed: int,
) -> Probabilities:
    """What synthetic rows look like to a classifier of the golden and the other synthetic rows.

    It is fitted anew in rounds: a synthetic row trains with the weight of the confidence in its
    label that the round before has led to.

    Args:
        start: A stock backbone; it is not changed.
        golden: Trusted; they always train.
        synthetic: Judged fold by fold.
        schema: The relations.
        params: The classifier.
        seed: Of the folds.

    Returns:
        N x R probabilities for the synthetic rows, columns in the order of the schema's names. A
        row that cannot be judged, since no other row shows its relation, is NaN.
    """
    if not synthetic:
        return np.zeros((0, len(schema.names)))
    views = _Views.of(start, [*golden, *synthetic], schema, params)
    held = np.arange(len(views.labels)) >= len(golden)
    weights = np.where(held, 1.0, params.golden_weight)
    for last in range(params.rounds, 0, -1):
        probabilities = _out_of_fold(views, held, weights, params, seed)[held]
        if last > 1:
            weights[held] = label_confidence(synthetic, schema, probabilities).right
    return probabilities


def judge_golden(
    start: Checkpoint,
    golden: Sequence[Instance],
    synthetic: Sequence[Instance],
    schema: RelationSchema,
    params: CrossFitParams,
    *,
    seed: int,
) -> Probabilities:
    """What golden rows look like to a classifier of the other golden rows and the synthetic ones.

    Args:
        start: A stock backbone; it is not changed.
        golden: Judged fold by fold.
        synthetic: They always train, near-duplicates of a judged row left out; there may be none.
        schema: The relations.
        params: The classifier; there is one round.
        seed: Of the folds.

    Returns:
        N x R probabilities for the golden rows, as of ``judge_synthetic``.
    """
    if not golden:
        return np.zeros((0, len(schema.names)))
    views = _Views.of(start, [*golden, *synthetic], schema, params)
    held = np.arange(len(views.labels)) < len(golden)
    weights = np.where(held, params.golden_weight, 1.0)
    return _out_of_fold(views, held, weights, params, seed)[held]


@dataclass(frozen=True)
class _Views:
    """Rows read both ways.

    Attributes:
        forward: N x F features, standardised.
        inverted: N x F features with head and tail exchanged.
        labels: N label numbers.
        inverses: R label numbers with head and tail exchanged, -1 where the schema has none.
        groups: N numbers, equal for near-duplicates.
    """

    forward: Floats
    inverted: Floats
    labels: Numbers
    inverses: Numbers
    groups: Numbers

    @classmethod
    def of(
        cls,
        start: Checkpoint,
        rows: Sequence[Instance],
        schema: RelationSchema,
        params: CrossFitParams,
    ) -> _Views:
        """The views of labelled rows."""
        column = {name: n for n, name in enumerate(schema.names)}
        forward, inverted = read_both_ways(start, rows, params)
        inverses = [schema.inverse_of(name) for name in schema.names]
        texts = [row.text for row in rows]
        return cls(
            forward,
            inverted,
            np.array([column[str(row.relation)] for row in rows], dtype=np.int64),
            np.array([-1 if name is None else column[name] for name in inverses]),
            np.array(near_duplicate_groups(texts, params)),
        )


def read_both_ways(
    start: Checkpoint, rows: Sequence[Instance], params: CrossFitParams
) -> tuple[Floats, Floats]:
    """Features of rows as they are, and with head and tail exchanged.

    Args:
        start: A stock backbone.
        rows: Their labels are not looked at.
        params: Which layers are pooled.

    Returns:
        Two arrays of N x F' features, standardised over both, and rotated so that F' is at most the
        number of readings: a regularised linear classifier cannot tell that from all features.
    """
    if not rows:
        return np.zeros((0, 1)), np.zeros((0, 1))
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
    views: _Views, held: Flags, weights: Floats, params: CrossFitParams, seed: int
) -> Probabilities:
    """N x R probabilities of the rows that are held out in turn; NaN for all others."""
    folds = _folds(views, held, params.folds, seed)
    probabilities = np.full((len(held), len(views.inverses)), np.nan)
    for fold in range(params.folds):
        out = held & (folds == fold)
        # Also a row that is never held out must not train what judges its near-duplicate.
        training = ~np.isin(views.groups, views.groups[out])
        if out.any():
            probabilities[out] = _judge(views, training, out, weights, params)
    return probabilities


def _folds(views: _Views, held: Flags, folds: int, seed: int) -> Numbers:
    """The fold of every row: near-duplicates in one, the rows of a relation spread over all."""
    order = np.random.default_rng(seed).permutation(len(held))
    order = order[np.argsort(views.labels[order], kind="stable")]
    of_group: dict[int, int] = {}
    for number in order[held[order]].tolist():
        of_group.setdefault(int(views.groups[number]), len(of_group) % folds)
    return np.array([of_group.get(int(group), -1) for group in views.groups], dtype=np.int64)


def _judge(
    views: _Views, training: Flags, out: Flags, weights: Floats, params: CrossFitParams
) -> Probabilities:
    """Probabilities of the rows that are out, by a classifier of those that train."""
    inverses = np.where(training, views.inverses[views.labels], -1)
    both = inverses >= 0
    labels = np.concatenate([views.labels[training], inverses[both]])
    judged = np.full((int(out.sum()), len(views.inverses)), np.nan)
    if len(set(labels.tolist())) < 2:
        return judged
    classifier = LinearProbe(C=params.inverse_regularisation, max_iter=1000)
    classifier.fit(
        np.concatenate([views.forward[training], views.inverted[both]]),
        labels,
        sample_weight=np.concatenate([weights[training], weights[both]]),
    )
    forward, inverted = np.zeros_like(judged), np.zeros_like(judged)
    forward[:, classifier.classes_] = classifier.predict_proba(views.forward[out])
    inverted[:, classifier.classes_] = classifier.predict_proba(views.inverted[out])
    known = np.flatnonzero(views.inverses >= 0)
    mixed = forward.copy()
    mixed[:, known] = (forward[:, known] + inverted[:, views.inverses[known]]) / 2
    mixed /= mixed.sum(axis=1, keepdims=True)
    seen = np.isin(views.labels[out], classifier.classes_)
    judged[seen] = mixed[seen]
    return judged
