"""The two chained stages of pre-training. torch is imported inside, so the graph loads without."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre import knowledge
from tkre.corpora.schema import RelationSchema
from tkre.grid import Cell
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.lineage import frame_digest
from tkre.training.params import PretrainingParams


def pretrain_mslm(
    backbone: Checkpoint,
    texts: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Stage 1: masked span language modelling, from the backbone's weights.

    Returns:
        The encoder; the losses of every step.
    """
    return _stage("mslm", backbone, texts, schema, pretraining, cell)


def pretrain_scl(
    mslm_encoder: Checkpoint,
    texts: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Stage 2: masked span language modelling and span contrast, from stage 1's weights.

    Returns:
        The encoder; the losses of every step.
    """
    return _stage("scl", mslm_encoder, texts, schema, pretraining, cell)


def _stage(
    stage: str,
    start: Checkpoint,
    texts: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame]:
    from tkre.training.pretraining import pretrain

    return pretrain(
        start,
        knowledge.from_frame(texts),
        RelationSchema.model_validate(schema),
        pretraining,
        stage,
        data=frame_digest(texts),
        seed=cell.draw.seed,
        description=cell.name,
    )
