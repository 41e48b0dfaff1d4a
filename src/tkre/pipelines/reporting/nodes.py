"""What is reported of cells and experiments (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd
import plotly.graph_objects as go

from tkre.corpora.params import CorpusParams
from tkre.corpora.schema import RelationSchema
from tkre.evaluation import draws, figures, tables
from tkre.evaluation.params import ReportingParams
from tkre.grid import Cell
from tkre.modeling.lineage import Lineage


def score(
    predictions: pd.DataFrame,
    schema: dict[str, Any],
    lineage: dict[str, Any],
    corpus: CorpusParams,
    cell: Cell,
) -> dict[str, Any]:
    """Scores the predictions of a cell: overall, by relation, and as a confusion matrix."""
    parsed = RelationSchema.model_validate(schema)
    return tables.score_cell(
        predictions,
        cell,
        parsed.names,
        parsed.negative,
        corpus.official_metric,
        Lineage.model_validate(lineage).seconds,
    )


def collect_cells(*metrics: dict[str, Any]) -> pd.DataFrame:
    """Puts the scores of all cells of an experiment into one table."""
    return tables.cells_table(metrics)


def summarise(reporting: ReportingParams, **inputs: Any) -> pd.DataFrame:
    """Averages over seeds and compares every variant with the baseline."""
    metrics, predictions = (_numbered(inputs, what) for what in ("metrics", "predictions"))
    return tables.summary_table(metrics, predictions, reporting)


def describe_draws(**inputs: Any) -> pd.DataFrame:
    """Counts what each draw had to work with: rows, shortfalls, synthetic sentences, rejects."""
    return draws.draws_table(
        _numbered(inputs, "reading"), _numbered(inputs, "shots"), _numbered(inputs, "yield")
    )


def plot_f1(cells: pd.DataFrame) -> tuple[go.Figure, go.Figure]:
    """Plots F1 by variant with its spread, for the catalog and as a page."""
    figure = figures.f1_by_variant(cells)
    return figure, figure


def plot_confusion(*metrics: dict[str, Any]) -> tuple[go.Figure, go.Figure]:
    """Plots the confusion of relations by variant, for the catalog and as a page."""
    figure = figures.confusion_by_variant(metrics)
    return figure, figure


def _numbered(inputs: dict[str, Any], what: str) -> list[Any]:
    """The inputs ``<what>_0``, ``<what>_1``, ... in order."""
    names = (name for name in inputs if name.startswith(f"{what}_"))
    return [inputs[name] for name in sorted(names, key=lambda name: int(name.split("_")[-1]))]
