"""Training rows of a classifier, its calibrator, and suspected label errors (CPU)."""

from __future__ import annotations

import pandas as pd

from tkre.core.cells import Cell
from tkre.core.instance import Instance
from tkre.core.provenance import Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation import calibration_report
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.params import CalibrationParams
from tkre.generation import label_errors
from tkre.generation.annotation import Annotation


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
) -> list[Instance]:
    """Takes the explained support set, synthetic sentences if given, and the annotated rows."""
    return [*explained, *(synthetic or ()), *(annotation.instance for annotation in annotated)]


def fit_calibrator(
    validation_predictions: pd.DataFrame,
    schema: RelationSchema,
    lineage: Lineage,
    params: CalibrationParams,
    cell: Cell,
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
    )


def find_label_errors(
    explained: list[Instance], support_probabilities: pd.DataFrame, schema: RelationSchema
) -> pd.DataFrame:
    """Ranks the support rows by how likely their labels are wrong.

    Returns:
        A row per support instance, the most suspected first.
    """
    probabilities_NR = label_errors.probabilities_of(support_probabilities, explained, schema)
    return label_errors.suspected_label_errors(explained, schema, probabilities_NR)
