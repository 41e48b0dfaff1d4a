"""Training and prediction. torch is imported inside, so that the graph loads without it.

Training by other packages. They are imported inside, so that the graph loads without them.

Apart from our own nodes: another version of such a package makes nothing else stale.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import Cell, KShotSample
from tkre.core.instance import from_frame
from tkre.core.provenance import frame_digest
from tkre.core.schema import RelationSchema
from tkre.evaluation.predictions import prediction_frame
from tkre.generation import label_errors as label_confidence
from tkre.generation.params import GenerationParams
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.params import FinetuningParams, SetFitParams
from tkre.training.stages import PAIRS, STAGES, TEXTS, PretrainingParams


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
    training_rows: pd.DataFrame,
    validation: pd.DataFrame,
    schema: dict[str, Any],
    pretraining: PretrainingParams,
    finetuning: FinetuningParams,
    cell: Cell,
    pretraining_texts: pd.DataFrame | None = None,
    pretraining_pairs: pd.DataFrame | None = None,
) -> tuple[Checkpoint, pd.DataFrame, dict[str, Any]]:
    """Fine-tunes a classifier from the encoder that was pre-trained for this cell.

    Returns:
        The classifier of the epoch that validation chooses; losses and validation scores; the
        lineage of the classifier.

    Raises:
        LineageError: The encoder was not made from this backbone by these stages on this
            knowledge.
    """
    knowledge = {TEXTS: pretraining_texts, PAIRS: pretraining_pairs}
    digests = {name: frame_digest(f) for name, f in knowledge.items() if f is not None}
    encoder.lineage.require(
        origin=backbone.lineage.origin,
        stages=pretraining.stages,
        data={stage: digests[STAGES[stage].reads] for stage in pretraining.stages},
    )
    return _finetune(encoder, training_rows, validation, schema, finetuning, cell)


def predict(classifier: Checkpoint, instances: pd.DataFrame) -> pd.DataFrame:
    """Labels rows with the classifier, and says how probable every relation is.

    Returns:
        id, the gold relation, the predicted one with its probability, and a column ``p.<relation>``
        for the probability of every relation.
    """
    from tkre.modeling.runtime import on_device
    from tkre.training.inference import predict as probabilities_of
    from tkre.training.scoring import labels_of

    rows = from_frame(instances)
    with on_device(classifier.model):
        probabilities = probabilities_of(
            classifier.model, classifier.tokenizer, rows, description="prediction"
        )
    names = [classifier.model.config.id2label[n] for n in range(probabilities.shape[1])]
    return prediction_frame(
        [row.id for row in rows],
        [row.relation for row in rows],
        labels_of(probabilities, classifier.model),
        names,
        probabilities,
    )


def measure_class_centroids(
    classifier: Checkpoint, backbone: Checkpoint, validation: pd.DataFrame, schema: dict[str, Any]
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measures how alike relations are to the classifier, and how alike their definitions read.

    On the validation rows: few-shot training pulls its own rows apart whatever it has learnt, and
    rows to be scored are labelled and nothing else. Definitions are embedded by the stock backbone,
    so that they are as alike for every variant.

    Returns:
        Similarities of every pair of relations; alignment and uniformity of the features. What
        the classifier's head has no features for, or no row is there for, is missing.
    """
    from tkre.evaluation.representations import alignment_uniformity, similar_pairs
    from tkre.modeling.runtime import on_device
    from tkre.training.inference import embed, features_of

    rows = from_frame(validation)
    labels = [str(row.relation) for row in rows]
    with on_device(classifier.model):
        features = features_of(classifier.model, classifier.tokenizer, rows)
    parsed = RelationSchema.model_validate(schema)
    definitions = [parsed.relations[name].definition for name in parsed.names]
    with on_device(backbone.model):
        embedded = embed(backbone.model.base_model, backbone.tokenizer, definitions)
    pairs = similar_pairs(parsed.names, features, labels, embedded.double().numpy())
    return pairs, alignment_uniformity(features, labels)


def score_support(
    backbone: Checkpoint,
    explained: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: dict[str, Any],
    generation: GenerationParams,
    sample: KShotSample,
) -> pd.DataFrame:
    """Judges every support row by a classifier that has not seen it.

    Returns:
        The probability of every relation for every support row.
    """
    from tkre.training.cross_fitting import judge_golden

    rows, parsed = from_frame(explained), RelationSchema.model_validate(schema)
    probabilities = judge_golden(
        backbone,
        rows,
        from_frame(synthetic),
        parsed,
        generation.filtering.crossfit,
        seed=sample.seed,
    )
    return label_confidence.to_frame(rows, parsed, probabilities)


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
        seed=cell.sample.seed,
        description=cell.name,
    )
    return classifier, losses, classifier.lineage.model_dump(mode="json")


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
    from tkre.training.setfit import predict_setfit
    from tkre.training.setfit import train_setfit as train

    relations = RelationSchema.model_validate(schema)
    model, lineage = train(
        backbone,
        from_frame(training_rows),
        relations,
        setfit,
        data=frame_digest(training_rows),
        seed=cell.sample.seed,
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
