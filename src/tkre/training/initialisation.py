"""Logistic regression that gives the same numbers however many threads a process has.

Where a new head starts: what can be known about it before any training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from tkre.core.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.heads import PrototypeHead, SpanHead, definition_text
from tkre.modeling.prompt_heads import KnowPromptHead
from tkre.modeling.tokenization import Encoded
from tkre.training.inference import embed, model_batches


class LinearProbe(LogisticRegression):
    """scikit-learn's, with one thread of BLAS.

    Sums are taken in another order by another number of threads, and a process of a grid has
    another number than one of Ray: what starts from a probe would be another classifier there.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:  # noqa: D102
        with threadpool_limits(1, user_api="blas"):
            super().fit(X, y, sample_weight)
        return self

    def decision_function(self, X: Any) -> Any:  # noqa: D102
        with threadpool_limits(1, user_api="blas"):
            return super().decision_function(X)


def start_head(
    model: RelationClassifier,
    start: Checkpoint,
    schema: RelationSchema,
    encoded: Sequence[Encoded],
    labels: Sequence[int],
    inverse_regularisation: float | None,
) -> None:
    """Starts the head of a new classifier; one of markers stays random.

    Args:
        model: Changed in place.
        start: What its encoder comes from.
        schema: The relations.
        encoded: The training rows, as the model reads them.
        labels: Their label numbers.
        inverse_regularisation: As for ``start_span_head``.
    """
    if isinstance(model.head, SpanHead):
        start_span_head(model, encoded, labels, inverse_regularisation)
    if isinstance(model.head, KnowPromptHead):
        model.head.start(start.model.get_input_embeddings())
    if isinstance(model.head, PrototypeHead):
        texts = [definition_text(schema.relations[name]) for name in schema.names]
        prototypes = embed(start.model.base_model, start.tokenizer, texts)
        with torch.no_grad():
            model.head.prototypes.copy_(prototypes)


@torch.no_grad()
def start_span_head(
    model: RelationClassifier,
    encoded: Sequence[Encoded],
    labels: Sequence[int],
    inverse_regularisation: float | None,
) -> None:
    """Standardises the features of a span head, and starts its last layer from a linear probe.

    Args:
        model: With a ``SpanHead``, changed in place.
        encoded: The training rows.
        labels: Their label numbers.
        inverse_regularisation: C of the logistic regression; None leaves the layer random.
    """
    head = model.head
    assert isinstance(head, SpanHead)
    model.eval()
    features = torch.empty(len(encoded), head.size)
    for numbers, batch in model_batches(model, encoded):
        features[numbers] = model.features(**batch)[0].float().cpu()
    features = head.standardise(features.to(model.device))
    if inverse_regularisation is None or len(set(labels)) < 3:
        return
    probe = LinearProbe(C=inverse_regularisation, max_iter=500)
    probe.fit(features.cpu().numpy(), labels)
    output = head.output
    # A label without a row starts as unlikely as the least likely one.
    output.weight.zero_()
    output.bias.fill_(float(probe.intercept_.min()))
    output.weight[probe.classes_] = torch.from_numpy(probe.coef_).to(output.weight)
    output.bias[probe.classes_] = torch.from_numpy(probe.intercept_).to(output.bias)
