"""Training and prediction. torch is imported inside, so that the graph loads without it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.corpora.schema import RelationSchema
from tkre.grid import Cell
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.lineage import frame_digest
from tkre.records import from_frame
from tkre.training.params import FinetuningParams, PretrainingParams


def finetune_backbone(
    backbone: Checkpoint,
    training_rows: pd.DataFrame,
    validation: pd.DataFrame,
    schema: dict[str, Any],
    finetuning: FinetuningParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame, dict[str, Any]]:
    """Fine-tunes a classifier from the backbone as it is.

    Returns:
        The classifier of the epoch that validation chooses; losses and validation scores; the
        lineage of the classifier.
    """
    return _finetune(backbone, training_rows, validation, schema, finetuning, cell)


def finetune_encoder(
    encoder: Checkpoint,
    backbone: Checkpoint,
    pretraining_texts: pd.DataFrame,
    training_rows: pd.DataFrame,
    validation: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    finetuning: FinetuningParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame, dict[str, Any]]:
    """Fine-tunes a classifier from the encoder that was pre-trained for this cell.

    Returns:
        The classifier of the epoch that validation chooses; losses and validation scores; the
        lineage of the classifier.

    Raises:
        LineageError: The encoder was not made from this backbone by these stages on this
            knowledge.
    """
    encoder.lineage.require(
        origin=backbone.lineage.origin,
        stages=pretraining.stages,
        data=frame_digest(pretraining_texts),
    )
    return _finetune(encoder, training_rows, validation, schema, finetuning, cell)


def predict(classifier: Checkpoint, instances: pd.DataFrame) -> pd.DataFrame:
    """Labels instances.

    Returns:
        id, the gold relation, the predicted one with its probability, and a column ``p.<relation>``
        for the probability of every relation.
    """
    from tkre.training.prediction import labels_of
    from tkre.training.prediction import predict as probabilities_of

    rows = from_frame(instances)
    probabilities = probabilities_of(
        classifier.model, classifier.tokenizer, rows, description="prediction"
    )
    names = [classifier.model.config.id2label[n] for n in range(probabilities.shape[1])]
    frame = pd.DataFrame(probabilities, columns=[f"p.{name}" for name in names])
    frame.insert(0, "id", [row.id for row in rows])
    frame.insert(1, "relation", [row.relation for row in rows])
    predicted = labels_of(probabilities, classifier.model)
    frame.insert(2, "predicted", predicted)
    own = [names.index(label) for label in predicted]
    frame.insert(3, "probability", probabilities[range(len(rows)), own])
    return frame


def _finetune(
    start: Checkpoint,
    training_rows: pd.DataFrame,
    validation: pd.DataFrame,
    schema: dict[str, Any],
    finetuning: FinetuningParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame, dict[str, Any]]:
    from tkre.training.finetuning import finetune

    classifier, losses = finetune(
        start,
        from_frame(training_rows),
        from_frame(validation),
        RelationSchema.model_validate(schema),
        finetuning,
        data=frame_digest(training_rows),
        seed=cell.draw.seed,
        description=cell.name,
    )
    return classifier, losses, classifier.lineage.model_dump(mode="json")
