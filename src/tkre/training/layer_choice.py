"""Layers that a span head pools where the recipe leaves them to the training rows.

Every row is judged by a linear classifier of all others, on the features of an encoder that is not
trained yet: residuals of ridge regression with a row left out are known from one inverse of an
N x N matrix (PRESS, Allen 1974), so that all choices cost little more than one pass of the encoder.

Legend of shapes: N rows, F features of a layer, R relations.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.runtime import device
from tkre.training.inference import features_of
from tkre.training.params import FinetuningParams

logger = logging.getLogger(__name__)

Floats = npt.NDArray[np.float64]
Layers = tuple[int, ...]

PENALTY = 1.0  # of the ridge, beside standardised features whose squares are averaged
# The middle layers stay unless others are better by so many standard errors: the best of some dozen
# choices is better by one often enough by chance.
MARGIN = 2.0


def choose_layers(
    start: Checkpoint, rows: Sequence[Instance], schema: RelationSchema, params: FinetuningParams
) -> Layers:
    """Chooses one layer, two neighbours or two that are two apart.

    Args:
        start: The encoder before it is trained.
        rows: N training rows. Annotated ones are not read if there are others: they are many.
        schema: The relations.
        params: How sentences are read.

    Returns:
        The choice with the smallest squared error of rows left out; the two middle layers where it
        is not better than these by ``MARGIN`` standard errors.
    """
    rows = [row for row in rows if not row.natural] or rows
    depth = start.model.config.num_hidden_layers
    model = RelationClassifier.from_masked_lm(
        start.model, head="spans", layers=[*range(1, depth + 1)], max_length=params.max_length,
        typed_markers=params.typed_markers,
    ).to(device())  # fmt: skip
    features = features_of(model, start.tokenizer, rows)
    spread = features.std(axis=0)
    features = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    labels = np.array([schema.names.index(str(row.relation)) for row in rows])
    with threadpool_limits(1, user_api="blas"):  # as finetuning.LinearProbe
        kernels = [of_layer @ of_layer.T for of_layer in np.split(features, depth, axis=1)]
        kernels = [kernel / (features.shape[1] / depth) for kernel in kernels]
        errors = {
            layers: _errors(sum(kernels[n - 1] for n in layers) / len(layers), labels)
            for layers in _choices(depth)
        }
    middle = tuple(sorted({max(1, depth // 2), min(depth, depth // 2 + 1)}))
    best = min(errors, key=lambda layers: float(errors[layers].mean()))
    gain = errors[middle] - errors[best]
    clear = gain.mean() > MARGIN * gain.std() / np.sqrt(max(1, len(rows) - 1))
    chosen = best if clear else middle
    logger.info(
        "layers %s: error of rows left out %.3f, %.3f from the middle ones, %.3f at best, from %s",
        list(chosen), errors[chosen].mean(), errors[middle].mean(), errors[best].mean(), list(best),
    )  # fmt: skip
    return chosen


def _choices(depth: int) -> list[Layers]:
    single = [(n,) for n in range(1, depth + 1)]
    return [
        *single,
        *((n, n + gap) for gap in (1, 2) for n in range(1, depth + 1 - gap)),
    ]


def _errors(kernel: Floats, labels: npt.NDArray[np.int64]) -> Floats:
    """N squared errors: of each row, by ridge regression on the others towards 0 and 1."""
    targets = np.eye(labels.max() + 1)[labels]
    inverse = np.linalg.inv(kernel + PENALTY * np.eye(len(kernel)))
    residuals = inverse @ (targets - targets.mean(axis=0)) / np.diag(inverse)[:, None]
    errors: Floats = (residuals**2).sum(axis=1)
    return errors
