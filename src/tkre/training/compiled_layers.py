"""The layers of an encoder compiled by ``torch.compile``, for as long as a training lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer


@contextmanager
def compiled_layers(objective: nn.Module) -> Iterator[None]:
    """Compiles each layer of the models of an objective; afterwards they are as they were.

    Layers, not whole models: all layers of a model share one compilation, so the wait does not grow
    with their number. For all lengths at once, since batches differ in theirs.

    Args:
        objective: Its Hugging Face models' transformer layers are compiled at their first batch.
    """
    layers = [m for m in objective.modules() if isinstance(m, GradientCheckpointingLayer)]
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None
