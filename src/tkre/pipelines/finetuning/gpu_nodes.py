"""Training and prediction, by the project's classifier and by SetFit.

torch and SetFit are imported inside, so that the graph loads without them.
"""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter
from typing import Any

import pandas as pd

from tkre.core.cells import IN_ORDER, Cell
from tkre.core.instance import Instance
from tkre.core.provenance import frame_digest, instances_digest
from tkre.core.schema import RelationSchema
from tkre.evaluation.predictions import prediction_frame
from tkre.generation.annotation import Annotation, instances_of
from tkre.generation.texts import KnowledgeText, texts_digest
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.params import FinetuningParams, SetFitParams
from tkre.training.recipes import Variant, with_defaults
from tkre.training.stages import PAIRS, STAGES, TEXTS, PretrainingParams

TIMED_ROWS, WARM_UP = 400, 32  # rows of a measurement of speed, and of the pass before it


def finetune_classifier(
    backbone: Checkpoint,
    training_rows: list[Instance],
    validation: list[Instance],
    schema: RelationSchema,
    finetuning: FinetuningParams,
    cell: Cell,
    annotated_validation: list[Annotation] | None = None,
    annotation_judgements: pd.DataFrame | None = None,
    unannotated: list[Instance] | None = None,
    teacher_predictions: pd.DataFrame | None = None,
    encoder: Checkpoint | None = None,
    pretraining: PretrainingParams | None = None,
    pretraining_texts: list[KnowledgeText] | None = None,
    pretraining_pairs: list[Instance] | None = None,
    *,
    head_first: bool = False,
) -> tuple[Any, ...]:
    """Fine-tunes a classifier from the encoder of this cell, or from the backbone without one.

    Annotated rows that are kept out help to choose the epoch, and are a random sample for the prior
    where the others were chosen; judgements give the weights of the others. Where the recipe
    cross-fits, none are kept out. Rows that no language model has labelled train by the
    probabilities of a teacher, where the recipe has one.

    Returns:
        The classifier of the epoch that validation chooses; losses and validation scores; the
        lineage of the classifier, with the digest of a teacher's probabilities. Predictions of the
        annotated rows by classifiers of the other folds, where the recipe cross-fits.

    Raises:
        LineageError: The encoder was not made from this backbone by these stages on this
            knowledge.
    """
    from tkre.training.distillation import Distilled
    from tkre.training.finetuning import finetune
    from tkre.training.out_of_fold import predict_out_of_fold

    if encoder is not None:
        assert pretraining is not None  # the graph gives both or none
        digests = {TEXTS: texts_digest(pretraining_texts or []),
                   PAIRS: instances_digest(pretraining_pairs or [])}  # fmt: skip
        with_defaults(encoder.lineage).require(
            origin=backbone.lineage.origin,
            stages=pretraining.stages,
            data={stage: digests[STAGES[stage].reads] for stage in pretraining.stages},
        )
    weights = {}
    if (frame := annotation_judgements) is not None:
        weights = dict(zip(frame["id"], frame["weight"].astype(float), strict=True))
    kept_out = instances_of(annotated_validation or [])
    distilled = None
    if teacher_predictions is not None:
        distilled = Distilled.by(teacher_predictions, unannotated or [], schema.names)

    def train(
        rows: list[Instance], held_out: list[Instance], description: str
    ) -> tuple[Checkpoint, pd.DataFrame]:
        return finetune(
            encoder or backbone,
            rows,
            [*validation, *held_out],
            schema,
            finetuning,
            data=instances_digest(rows),
            seed=cell.sample.seed,
            description=description,
            weights=weights,
            random_rows=() if cell.sample.chosen == IN_ORDER else held_out,
            distilled=distilled,
            head_first=head_first,
        )

    classifier, losses = train(training_rows, kept_out, cell.name)
    if teacher_predictions is not None:
        lineage = classifier.lineage.amended(teacher=frame_digest(teacher_predictions))
        classifier = replace(classifier, lineage=lineage)
    if not finetuning.cross_fits(cell.sample):
        return classifier, losses, classifier.lineage
    started = perf_counter()
    annotated = [row for row in training_rows if row.natural]
    fixed = [row for row in training_rows if not row.natural]
    probabilities_NR = predict_out_of_fold(
        lambda rows, held_out, fold: train([*fixed, *rows], held_out, f"{cell.name} {fold}")[0],
        annotated,
        len(schema.names),
        folds=finetuning.folds,
        seed=cell.sample.seed,
    )
    seconds = classifier.lineage.steps[-1].seconds + perf_counter() - started
    classifier = replace(classifier, lineage=classifier.lineage.amended(seconds=seconds))
    out_of_fold = _labelled(annotated, classifier, probabilities_NR)
    return classifier, losses, classifier.lineage, out_of_fold


def predict(
    classifier: Checkpoint,
    instances: list[Instance],
    training_rows: list[Instance],
    variant: Variant,
) -> pd.DataFrame:
    """Labels rows of a cell with its classifier.

    Returns:
        A predictions frame (``evaluation.predictions.prediction_frame``).

    Raises:
        LineageError: The classifier was made by another recipe or from other rows.
    """
    variant.require(classifier.lineage, instances_digest(training_rows))
    return predicted(classifier, instances)


def predict_natural(
    classifier: Checkpoint,
    instances: list[Instance] | list[Annotation],
    training_rows: list[Instance],
    variant: Variant,
) -> pd.DataFrame:
    """Labels rows of natural text, with the classifier's prior of it if it has one.

    Returns:
        A predictions frame; the gold label of an annotated row is the language model's.

    Raises:
        LineageError: See ``predict``.
    """
    variant.require(classifier.lineage, instances_digest(training_rows))
    return predicted(classifier, instances_of(instances), natural=True)


def predicted(
    classifier: Checkpoint, instances: list[Instance], *, natural: bool = False
) -> pd.DataFrame:
    """Labels rows with any classifier; of natural text with its prior of it if it has one."""
    from tkre.modeling.runtime import on_device
    from tkre.training.inference import predict as probabilities_of

    with on_device(classifier.model):
        probabilities_NR = probabilities_of(
            classifier.model, classifier.tokenizer, instances, description="prediction",
            natural=natural,
        )  # fmt: skip
    return _labelled(instances, classifier, probabilities_NR)


def _labelled(
    instances: list[Instance], classifier: Checkpoint, probabilities_NR: Any
) -> pd.DataFrame:
    """Predictions by the rule of a classifier (``training.scoring.labels_of``)."""
    from tkre.training.scoring import labels_of

    config = classifier.model.config
    labels = [config.id2label[n] for n in range(probabilities_NR.shape[1])]
    return _predictions(instances, labels_of(probabilities_NR, config), labels, probabilities_NR)


def measure_speed(classifier: Checkpoint, instances: list[Instance]) -> dict[str, Any]:
    """Measures how fast the classifier labels rows, after a first pass over some of them.

    Returns:
        Number of ``rows``; ``seconds`` for all of them; ``parameters`` of the classifier;
        ``processor``, ``device`` and ``threads``.
    """
    from tkre.modeling.runtime import on_device
    from tkre.training.inference import predict as probabilities_of
    from tkre.training.trainer import training_environment

    rows = instances[:TIMED_ROWS]
    with on_device(classifier.model):
        probabilities_of(classifier.model, classifier.tokenizer, rows[:WARM_UP])
        started = perf_counter()
        probabilities_of(classifier.model, classifier.tokenizer, rows)
        seconds = perf_counter() - started
    place = training_environment("auto")
    return {
        "rows": len(rows),
        "seconds": seconds,
        "parameters": classifier.model.num_parameters(),
        **{name: getattr(place, name) for name in ("processor", "device", "threads")},
    }


def measure_class_centroids(
    classifier: Checkpoint, backbone: Checkpoint, validation: list[Instance], schema: RelationSchema
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Measures the similarity of relations to the classifier, and that of their definitions.

    Features are those of validation rows: few-shot training separates its own rows in any case, and
    rows to be scored are only labelled. The backbone embeds the definitions, so that their
    similarities are the same for every variant.

    Returns:
        Similarities of every pair of relations; alignment and uniformity of the features. Values
        without rows are missing.
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


def train_setfit(
    backbone: Checkpoint,
    training_rows: list[Instance],
    validation: list[Instance],
    scored: list[Instance],
    schema: RelationSchema,
    setfit: SetFitParams,
    cell: Cell,
    natural_test: list[Instance] | None = None,
    annotated_validation: list[Annotation] | None = None,
) -> tuple[Any, ...]:
    """Trains the SetFit baseline and labels instances with it.

    Returns:
        Predictions for the rows to be scored, and for the validation rows; the lineage of the
        sentence encoder. Predictions for the natural test, and for annotated rows that are kept
        out, if there are any.
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

    def label(instances: list[Instance]) -> pd.DataFrame:
        probabilities_NR = predict_setfit(
            model, backbone, instances, schema, setfit, description=f"{cell.name} prediction"
        )
        predicted = [schema.names[n] for n in probabilities_NR.argmax(axis=1)]
        return _predictions(instances, predicted, schema.names, probabilities_NR)

    more = [] if natural_test is None else [label(natural_test)]
    if annotated_validation is not None:
        more.append(label(instances_of(annotated_validation)))
    return label(scored), label(validation), lineage, *more


def _predictions(
    instances: list[Instance], predicted: list[str], labels: list[str], probabilities_NR: Any
) -> pd.DataFrame:
    ids, gold, texts = (
        [getattr(row, name) for row in instances] for name in ("id", "relation", "text")
    )
    return prediction_frame(ids, gold, predicted, labels, probabilities_NR, texts)
