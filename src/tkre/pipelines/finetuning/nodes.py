"""Which rows a classifier is trained on, and how far its labels and it can be trusted (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import Cell
from tkre.core.instance import from_frame
from tkre.core.provenance import Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation import calibration_report as trust_fitting
from tkre.evaluation.params import CalibrationParams
from tkre.generation import label_errors as label_confidence


def golden_rows(support: pd.DataFrame) -> pd.DataFrame:
    """Takes the K-shot support set alone."""
    return support


def golden_and_synthetic_rows(explained: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """Takes the explained support set and the synthetic sentences."""
    return pd.concat([explained, synthetic], ignore_index=True)


def fit_calibrator(
    validation_predictions: pd.DataFrame,
    schema: dict[str, Any],
    lineage: dict[str, Any],
    params: CalibrationParams,
    cell: Cell,
) -> dict[str, Any]:
    """Fits a temperature and thresholds on the validation rows.

    Returns:
        The calibrator record, which names the classifier's weights: it is of no use to others.
    """
    record = trust_fitting.fit_calibrator(
        validation_predictions,
        RelationSchema.model_validate(schema).negative,
        params,
        cell=cell.name,
        classifier=Lineage.model_validate(lineage).weights,
    )
    return record.model_dump(mode="json")


def find_label_errors(
    explained: pd.DataFrame, support_probabilities: pd.DataFrame, schema: dict[str, Any]
) -> pd.DataFrame:
    """Ranks the support rows by how likely their label is wrong.

    Returns:
        A row per support instance, the most suspected first.
    """
    parsed = RelationSchema.model_validate(schema)
    rows = from_frame(explained)
    probabilities = label_confidence.from_frame(support_probabilities, rows, parsed)
    return label_confidence.suspected_label_errors(rows, parsed, probabilities)
