"""Training by other packages. They are imported inside, so that the graph loads without them.

Apart from our own nodes: another version of such a package makes nothing else stale.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.corpora.schema import RelationSchema
from tkre.evaluation.predictions import prediction_frame
from tkre.grid import Cell
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.lineage import frame_digest
from tkre.records import from_frame
from tkre.training.setfit_params import SetFitParams


def train_setfit(
    backbone: Checkpoint,
    training_rows: pd.DataFrame,
    validation: pd.DataFrame,
    scored: pd.DataFrame,
    schema: dict[str, Any],
    setfit: SetFitParams,
    cell: Cell,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Trains SetFit, a baseline of others, and labels instances with it.

    Returns:
        Predictions for the rows to be scored, and for the validation rows; the lineage of the
        sentence encoder.
    """
    from tkre.training.setfit_baseline import predict_setfit
    from tkre.training.setfit_baseline import train_setfit as train

    relations = RelationSchema.model_validate(schema)
    model, lineage = train(
        backbone,
        from_frame(training_rows),
        relations,
        setfit,
        data=frame_digest(training_rows),
        seed=cell.draw.seed,
        description=cell.name,
    )
    frames = []
    for instances in (from_frame(scored), from_frame(validation)):
        probabilities = predict_setfit(
            model, backbone, instances, relations, setfit, description=f"{cell.name} prediction"
        )
        frames.append(
            prediction_frame(
                [row.id for row in instances],
                [row.relation for row in instances],
                [relations.names[n] for n in probabilities.argmax(axis=1)],
                relations.names,
                probabilities,
            )
        )
    return frames[0], frames[1], lineage.model_dump(mode="json")
