"""Training rows of a classifier, its calibrator, and suspected label errors (CPU)."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from tkre.core.cells import Cell, KShotSample
from tkre.core.instance import Instance
from tkre.core.provenance import Lineage
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.corpora.pool import other_sets, read_unannotated, take_unannotated
from tkre.corpora.reading import CorpusFolder
from tkre.evaluation import calibration_report
from tkre.evaluation.calibrator import Calibrator, Text
from tkre.evaluation.params import CalibrationParams
from tkre.generation import annotation_weights, label_errors
from tkre.generation.annotation import Annotation, instances_of
from tkre.generation.params import FilterParams, SynthesisParams

logger = logging.getLogger(__name__)


def golden_rows(support: list[Instance]) -> list[Instance]:
    """Takes the K-shot support set alone."""
    return support


def golden_and_synthetic_rows(
    explained: list[Instance], synthetic: list[Instance]
) -> list[Instance]:
    """Takes the explained support set and the synthetic sentences."""
    return [*explained, *synthetic]


def golden_and_annotated_rows(
    explained: list[Instance],
    annotated: list[Annotation],
    synthetic: list[Instance] | None = None,
    annotation_judgements: pd.DataFrame | None = None,
    train: list[Instance] | None = None,
) -> list[Instance]:
    """Takes the explained support set, synthetic sentences if given, and the annotated rows.

    With judgements, annotated rows whose label is a suspected error are left out. With the training
    split, annotated rows have its labels instead of the language model's: the upper bound.
    """
    rows = instances_of(annotated)
    if annotation_judgements is not None:
        suspected = annotation_judgements["reason"].notna()
        errors = set(annotation_judgements.loc[suspected, "id"])
        logger.info("%d of %d annotated rows left out: suspected errors", len(errors), len(rows))
        rows = [row for row in rows if row.id not in errors]
    if train is not None:
        rows = annotation_weights.with_true_labels(rows, train)
    return [*explained, *(synthetic or ()), *rows]


def select_unannotated(
    folder: CorpusFolder,
    corpus: CorpusParams,
    pool: list[Instance],
    support: list[Instance],
    validation: list[Instance],
    development: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
    params: SynthesisParams,
    sample: KShotSample,
    annotated: list[Annotation] | None = None,
) -> tuple[list[Instance], dict[str, Any]]:
    """Takes the unlabelled rows that no language model labels and that copy no other set.

    Labels of training rows are dropped by the reader.

    Returns:
        The rows; counts of taken and refused ones.
    """
    rows = read_unannotated(folder.read, corpus, pool, instances_of(annotated or []))
    forbidden = other_sets(support, validation, development, test, natural_test)
    return take_unannotated(rows, forbidden, params, sample)


def judge_annotations(
    annotated_training: list[Annotation],
    annotated_probabilities: pd.DataFrame,
    schema: RelationSchema,
    params: FilterParams,
) -> pd.DataFrame:
    """Calibrates the stated confidence of annotated rows, and looks for errors in their labels.

    Returns:
        A row per annotated one: its weight, and the reason of a suspicion.
    """
    rows = instances_of(annotated_training)
    return annotation_weights.judge_annotations(
        annotated_training,
        schema,
        label_errors.probabilities_of(annotated_probabilities, rows, schema),
        params.least_confidence,
    )


def fit_calibrator(
    validation_predictions: pd.DataFrame,
    schema: RelationSchema,
    lineage: Lineage,
    params: CalibrationParams,
    cell: Cell,
    *,
    fitted_on: Text = "balanced",
) -> Calibrator:
    """Fits a temperature and thresholds on the validation rows.

    Returns:
        The calibrator, which holds the digest of the classifier's weights.
    """
    return calibration_report.fit_calibrator(
        validation_predictions,
        schema.negative,
        params,
        cell=cell.name,
        classifier=lineage.weights,
        fitted_on=fitted_on,
    )


def fit_calibrators(
    annotated_validation_predictions: pd.DataFrame,
    validation_predictions: pd.DataFrame,
    schema: RelationSchema,
    lineage: Lineage,
    params: CalibrationParams,
    cell: Cell,
) -> tuple[Calibrator, Calibrator]:
    """Fits a calibrator on annotated rows held out of training, and one on the validation rows.

    Returns:
        The calibrator of natural text, which is served: that of the validation rows where no
        annotated row was held out. The calibrator of the validation rows, for text whose labels
        were chosen.
    """
    balanced = fit_calibrator(validation_predictions, schema, lineage, params, cell)
    if annotated_validation_predictions.empty:
        return balanced, balanced
    natural = fit_calibrator(
        annotated_validation_predictions, schema, lineage, params, cell, fitted_on="natural"
    )
    return natural, balanced


def find_label_errors(
    explained: list[Instance], support_probabilities: pd.DataFrame, schema: RelationSchema
) -> pd.DataFrame:
    """Ranks the support rows by how likely their labels are wrong.

    Returns:
        A row per support instance, the most suspected first.
    """
    probabilities_NR = label_errors.probabilities_of(support_probabilities, explained, schema)
    return label_errors.suspected_label_errors(explained, schema, probabilities_NR)
