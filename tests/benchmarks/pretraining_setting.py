"""What the ways of pre-training are measured on, and what each has taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, islice
from typing import Any

import numpy as np
import torch

from tests.benchmarks.demo import DRAW, load
from tests.benchmarks.machine import training_operations
from tests.benchmarks.shapes import SEED, in_shape
from tkre.modeling.span_masking import encode_texts
from tkre.training.batching import POOL, LengthBatches
from tkre.training.pretraining import TextCollator
from tkre.training.stages import PretrainingParams

Batch = dict[str, torch.Tensor]


@dataclass
class Result:
    """What a way has taken.

    Attributes:
        tokens: That are no padding.
        operations: Floating-point operations that the model needs for them.
        seconds: Of the steps.
        losses: Of every step.
    """

    tokens: int = 0
    operations: float = 0.0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)

    def count(self, batch: Batch, config: Any, predicted: int, *, frozen: bool = False) -> None:
        """Takes in what a batch holds, of which so many tokens are predicted."""
        lengths = batch["attention_mask"].sum(dim=1)
        self.tokens += (tokens := int(lengths.sum()))
        squared = int((lengths**2).sum())
        self.operations += training_operations(config, tokens, squared, predicted, frozen=frozen)


class Setting:
    """The weights, texts and parameters that all ways share.

    Args:
        shape: ``minilm``, the demo's backbone, or ``roberta-large``: random weights of that shape.
        batch_size: Texts per step; None for the recipe's.
    """

    def __init__(self, shape: str, batch_size: int | None) -> None:
        backbone, knowledge, self.schema, variants = load(
            "backbones.minilm", f"{DRAW}.knowledge", "newsroom.schema", "params:variants"
        )
        self.start = in_shape(backbone, shape)
        recipe = variants["tkre"].pretraining.model_dump()
        if batch_size:
            recipe["mslm"]["optimisation"]["batch_size"] = batch_size
            recipe["scl"]["optimisation"]["batch_size"] = batch_size
        self.params = PretrainingParams.model_validate(recipe)
        assert self.params.mslm is not None and self.params.scl is not None
        self.stage, self.scl = self.params.mslm, self.params.scl
        encoded = encode_texts(knowledge, backbone.tokenizer, self.params.masking)
        # As many as make full batches of like length: pools of them are sorted.
        pool = POOL * self.stage.optimisation.batch_size
        self.encoded = encoded * max(1, pool // len(encoded))

    def batches(self, steps: int) -> Iterator[Batch]:
        """The first batches of our training, masked as it masks them."""
        collate = TextCollator(self.start, self.schema, self.params, np.random.default_rng(SEED))
        sampler = LengthBatches(
            [len(e) for e in self.encoded], self.stage.optimisation.batch_size, SEED
        )
        # Again and again: each time the sampler is gone through it has another order.
        rows = islice((rows for _ in count() for rows in sampler), steps)
        return (collate([self.encoded[n] for n in numbers]) for numbers in rows)
