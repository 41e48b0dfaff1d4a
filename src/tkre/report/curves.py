"""Scores along the axes of an experiment: for its page, and as pictures of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from tkre.core.cells import Experiment
from tkre.report.blocks import missing
from tkre.report.figures import Line, lines_along
from tkre.report.lines import Axis, Series, legend, line_panel
from tkre.training.recipes import Variant, varied

F1 = "micro-F1, %"
_AXES = {
    "shots": "K, labelled sentences per relation",
    "synthetic": "synthetic sentences per relation, x K",
    "noise": "% of synthetic sentences under a wrong label",
}
PARAMETER = "parameter"  # the axis of variants that differ in one number


@dataclass(frozen=True)
class Curve:
    """F1 along an axis.

    Attributes:
        axis: A column of the cells, or ``parameter``.
        title: What the axis is, in words, or the parameter's path.
        lines: One for each setting.
        panel: The drawing.
        legend: Their names with their swatches.
    """

    axis: str
    title: str
    lines: list[Line]
    panel: Markup
    legend: list[tuple[str, Markup]]


def curves(
    cells: pd.DataFrame, spec: Experiment, variants: Mapping[str, Variant]
) -> Iterator[Curve]:
    """A curve for each axis along which an experiment has several values.

    Cells without a score (a corpus with no row to score on) have no point; without any there is
    no curve.

    Args:
        cells: Its cells (``evaluation.tables.cells_table``).
        spec: The experiment.
        variants: Its variants, by name.
    """
    cells = cells[cells["micro_f1"].notna()]
    if cells.empty:
        return
    for axis, title in _AXES.items():
        if len(getattr(spec, axis)) > 1:
            yield _curve(cells, axis, axis, title)
    if difference := varied(variants):
        path, values = difference
        placed = cells.assign(variant="", value=cells["variant"].map(values))
        yield _curve(placed, "value", PARAMETER, path)


def _curve(cells: pd.DataFrame, column: str, axis: str, title: str) -> Curve:
    lines = lines_along(cells, column)
    series = [
        Series(line.name or F1, line.x, line.mean,
               [] if line.level else [0.0 if missing(std) else std for std in line.std],
               level=line.level)
        for line in lines
    ]  # fmt: skip
    across = Axis(title, sorted(cells[column].unique()))
    panel = line_panel(series, f"Micro-F1 along {title}", across, Axis(F1))
    return Curve(axis, title, lines, panel, legend(series))
