"""The chained stages of pre-training. torch is imported inside, so that the graph loads without."""

from __future__ import annotations

from typing import Any, Literal

import pandas as pd

from tkre.core.cells import Cell
from tkre.core.instance import from_frame
from tkre.core.provenance import frame_digest
from tkre.core.schema import RelationSchema
from tkre.generation import texts as knowledge
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.params import PretrainingParams


def pretrain_mslm(
    start: Checkpoint,
    texts: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Pre-trains on the texts by masked span language modelling, from the backbone's weights.

    Returns:
        The encoder; the losses of every step.
    """
    return _on_texts("mslm", start, texts, schema, pretraining, cell)


def pretrain_scl(
    start: Checkpoint,
    texts: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Pre-trains on by masked span language modelling and span contrast, from the stage before.

    Returns:
        The encoder; the losses of every step.
    """
    return _on_texts("scl", start, texts, schema, pretraining, cell)


def pretrain_pairs(
    start: Checkpoint,
    pairs: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Pre-trains by contrasting marked pairs with explanations and definitions.

    Returns:
        The encoder; the losses of every step.
    """
    from tkre.training.pretraining import pretrain_pairs as pretrain

    return pretrain(
        start,
        from_frame(pairs),
        RelationSchema.model_validate(schema),
        pretraining,
        data=frame_digest(pairs),
        seed=cell.sample.seed,
        description=cell.name,
    )


def _on_texts(
    stage: Literal["mslm", "scl"],
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
        seed=cell.sample.seed,
        description=cell.name,
    )
