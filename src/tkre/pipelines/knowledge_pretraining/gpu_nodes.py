"""The chained stages of pre-training. torch is imported inside, so that the graph loads without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from tkre.core.cells import Cell
from tkre.core.instance import from_frame
from tkre.core.provenance import frame_digest
from tkre.core.schema import RelationSchema
from tkre.generation import texts as knowledge
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.stages import PAIRS, STAGES, TEXTS, PretrainingParams

Trained = tuple[Checkpoint, pd.DataFrame]
# How a stage's data becomes what it trains on.
ROWS: dict[str, Callable[[pd.DataFrame], list[Any]]] = {
    TEXTS: knowledge.from_frame,
    PAIRS: from_frame,
}


def pretraining_of(stage: str) -> Callable[..., Trained]:
    """The node function of a stage, named after it."""

    def train(
        start: Checkpoint,
        data: pd.DataFrame,
        schema: dict[str, Any],
        pretraining: PretrainingParams,
        cell: Cell,
    ) -> Trained:
        from tkre.training.pretraining import pretrain

        return pretrain(
            start,
            ROWS[STAGES[stage].reads](data),
            RelationSchema.model_validate(schema),
            pretraining,
            stage,
            data=frame_digest(data),
            seed=cell.sample.seed,
            description=cell.name,
        )

    train.__name__ = train.__qualname__ = f"pretrain_{stage}"
    train.__doc__ = (
        f"Trains an encoder by {STAGES[stage].description}.\n\n"
        "Returns:\n    The encoder; the losses of every step."
    )
    return train
