"""What a run of a tracking server says of itself in Markdown, where a reader looks first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pandas as pd
from pydantic import ValidationError

from tkre.evaluation.presentation import score_tables
from tkre.grid import Cell
from tkre.report.wording import recipe_in_words
from tkre.results import markdown
from tkre.variants import Variant

_ROWS = {"test": "test sentences", "development": "development sentences, on which recipes are "
         "chosen: the scores flatter"}  # fmt: skip


def note_of_cell(cell: Cell, metrics: Mapping[str, Any], score_on: str) -> str:
    """What the cell is, how well it does, what its variant does.

    Args:
        cell: Which.
        metrics: Its scores with its recipe, and why they are stale if they are.
        score_on: Which rows they are of.
    """
    draw = cell.draw
    lines = [
        f"`{cell.variant}` on {draw.corpus}, K = {draw.shots}, seed {draw.seed}: "
        f"micro-F1 {_figure(metrics['micro_f1'])} (precision "
        f"{_figure(metrics['micro_precision'])}, recall {_figure(metrics['micro_recall'])}) on "
        f"{metrics['rows']} {_ROWS[score_on]}.",
        *(f"**Stale**: {reason}." for reason in metrics["stale"]),
        "\n".join(f"- {said}" for said in _recipe(metrics["recipe"])),
    ]
    return "\n\n".join(line for line in lines if line)


def note_of_experiment(summary: pd.DataFrame, cells: pd.DataFrame) -> str:
    """The scores of an experiment.

    Args:
        summary: Its means.
        cells: Its scores.
    """
    return "\n\n".join(
        "\n".join([f"**{table.title}**, {table.note}.", "", *markdown(table)])
        for table in score_tables(summary, cells)
    )


def _figure(score: float | None) -> str:
    return "unknown" if score is None else f"{score:.1f}"


def _recipe(recipe: Mapping[str, Any]) -> Iterator[str]:
    """Nothing for a recipe of another version, which this one cannot read."""
    with suppress(ValidationError):
        yield from recipe_in_words(Variant.model_validate(recipe))
