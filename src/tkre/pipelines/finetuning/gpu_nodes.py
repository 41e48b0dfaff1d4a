"""Training and prediction, by the project's classifier and by SetFit.

torch and SetFit are imported inside, so that the graph loads without them.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import Cell, KShotSample
from tkre.core.instance import Instance
from tkre.core.provenance import Lineage, instances_digest
from tkre.core.schema import RelationSchema
from tkre.evaluation.predictions import prediction_frame
from tkre.generation import label_errors
from tkre.generation.params import FilterParams
from tkre.generation.texts import KnowledgeText, texts_digest
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.params import FinetuningParams, SetFitParams
from tkre.training.recipes import with_defaults
from tkre.training.stages import PAIRS, STAGES, TEXTS, PretrainingParams


def finetune_backbone(
    backbone: Checkpoint,
    training_rows: list[Instance],
    validation: list[Instance],
    schema: RelationSchema,
    finetuning: FinetuningParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame, Lineage]:
    """Fine-tunes a classifier from the backbone as it is.

    Returns:
        The classifier of the epoch that validation chooses; losses and validation scores; the
        lineage of the classifier.
    """
    return _finetune(backbone, training_rows, validation, schema, finetuning, cell)


def finetune_encoder(
    encoder: Checkpoint,
    backbone: Checkpoint,
    training_rows: list[Instance],
    validation: list[Instance],
    schema: RelationSchema,
    pretraining: PretrainingParams,
    finetuning: FinetuningParams,
    cell: Cell,
    pretraining_texts: list[KnowledgeText] | None = None,
    pretraining_pairs: list[Instance] | None = None,
) -> tuple[Checkpoint, pd.DataFrame, Lineage]:
    """Fine-tunes a classifier from the encoder that was pre-trained for this cell.

    Returns:
        The classifier of the epoch that validation chooses; losses and validation scores; the
        lineage of the classifier.

    Raises:
        LineageError: The encoder was not made from this backbone by these stages on this
            knowledge.
    """
    digests = {TEXTS: texts_digest(pretraining_texts or []),
               PAIRS: instances_digest(pretraining_pairs or [])}  # fmt: skip
    with_defaults(encoder.lineage).require(
        origin=backbone.lineage.origin,
        stages=pretraining.stages,
        data={stage: digests[STAGES[stage].reads] for stage in pretraining.stages},
    )
    return _finetune(encoder, training_rows, validation, schema, finetuning, cell)


def predict(classifier: Checkpoint, instances: list[Instance]) -> pd.DataFrame:
    """Labels rows with the classifier.

    Returns:
        A predictions frame (``evaluation.predictions.prediction_frame``).
    """
    from tkre.modeling.runtime import on_device
    from tkre.training.inference import predict as probabilities_of
    from tkre.training.scoring import labels_of

    with on_device(classifier.model):
        probabilities = probabilities_of(
            classifier.model, classifier.tokenizer, instances, description="prediction"
        )
    names = [classifier.model.config.id2label[n] for n in range(probabilities.shape[1])]
    return prediction_frame(
        [row.id for row in instances],
        [row.relation for row in instances],
        labels_of(probabilities, classifier.model),
        names,
        probabilities,
    )


def measure_class_centroids(
    classifier: Checkpoint, backbone: Checkpoint, validation: list[Instance], schema: RelationSchema
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

    labels = [str(row.relation) for row in validation]
    with on_device(classifier.model):
        features = features_of(classifier.model, classifier.tokenizer, validation)
    definitions = [schema.relations[name].definition for name in schema.names]
    with on_device(backbone.model):
        embedded = embed(backbone.model.base_model, backbone.tokenizer, definitions)
    pairs = similar_pairs(schema.names, features, labels, embedded.double().numpy())
    return pairs, alignment_uniformity(features, labels)


def score_support(
    backbone: Checkpoint,
    explained: list[Instance],
    synthetic: list[Instance],
    schema: RelationSchema,
    params: FilterParams,
    sample: KShotSample,
) -> pd.DataFrame:
    """Judges every support row by a classifier that was not trained on it.

    Returns:
        The probability of every relation for every support row.
    """
    from tkre.training.cross_fitting import judge_golden

    probabilities_NR = judge_golden(
        backbone, explained, synthetic, schema, params.crossfit, seed=sample.seed
    )
    return label_errors.probability_frame(explained, schema, probabilities_NR)


def _finetune(
    start: Checkpoint,
    training_rows: list[Instance],
    validation: list[Instance],
    schema: RelationSchema,
    finetuning: FinetuningParams,
    cell: Cell,
) -> tuple[Checkpoint, pd.DataFrame, Lineage]:
    from tkre.training.finetuning import finetune

    classifier, losses = finetune(
        start,
        training_rows,
        validation,
        schema,
        finetuning,
        data=instances_digest(training_rows),
        seed=cell.sample.seed,
        description=cell.name,
    )
    return classifier, losses, classifier.lineage


def train_setfit(
    backbone: Checkpoint,
    training_rows: list[Instance],
    validation: list[Instance],
    scored: list[Instance],
    schema: RelationSchema,
    setfit: SetFitParams,
    cell: Cell,
) -> tuple[pd.DataFrame, pd.DataFrame, Lineage]:
    """Trains SetFit, a baseline of others, and labels instances with it.

    Returns:
        Predictions for the rows to be scored, and for the validation rows; the lineage of the
        sentence encoder.
    """
    from tkre.training.setfit import predict_setfit
    from tkre.training.setfit import train_setfit as train

    model, lineage = train(
        backbone,
        training_rows,
        schema,
        setfit,
        data=instances_digest(training_rows),
        seed=cell.sample.seed,
        description=cell.name,
    )
    frames = []
    for instances in (scored, validation):
        probabilities = predict_setfit(
            model, backbone, instances, schema, setfit, description=f"{cell.name} prediction"
        )
        frames.append(
            prediction_frame(
                [row.id for row in instances],
                [row.relation for row in instances],
                [schema.names[n] for n in probabilities.argmax(axis=1)],
                schema.names,
                probabilities,
            )
        )
    return frames[0], frames[1], lineage
