"""The chained stages of pre-training. torch is imported inside, so that the graph loads without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from tkre.core.cells import Cell
from tkre.core.instance import Instance
from tkre.core.provenance import instances_digest
from tkre.core.schema import RelationSchema
from tkre.generation.texts import KnowledgeText, texts_digest
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.stages import PAIRS, STAGES, TEXTS, PretrainingParams

Trained = tuple[Checkpoint, pd.DataFrame]
DIGESTS: dict[str, Callable[[Any], str]] = {TEXTS: texts_digest, PAIRS: instances_digest}


def pretraining_of(stage: str) -> Callable[..., Trained]:
    """The node function of a stage, named after it."""

    def train(
        start: Checkpoint,
        data: list[KnowledgeText] | list[Instance],
        schema: RelationSchema,
        pretraining: PretrainingParams,
        cell: Cell,
    ) -> Trained:
        from tkre.training.pretraining import pretrain

        return pretrain(
            start,
            data,
            schema,
            pretraining,
            stage,
            data=DIGESTS[STAGES[stage].reads](data),
            seed=cell.sample.seed,
            description=cell.name,
        )

    train.__name__ = train.__qualname__ = f"pretrain_{stage}"
    train.__doc__ = (
        f"Trains an encoder by {STAGES[stage].description}.\n\n"
        "Returns:\n    The encoder; the losses of every step."
    )
    return train
