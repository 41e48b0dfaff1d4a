"""F1 along an axis of an experiment: K, synthetic sentences, planted noise, a parameter."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import pandas as pd
import plotly.graph_objects as go

from tkre.evaluation.figures import COLOURS
from tkre.evaluation.spread import spread
from tkre.evaluation.tables import PLACE, varies
from tkre.params import NO_WRITER


@dataclass(frozen=True)
class Line:
    """F1 of one setting along an axis.

    Attributes:
        name: Of the setting, as far as settings differ.
        x: Values of the axis.
        mean: Micro-F1 there, over seeds.
        std: Its standard deviation (``spread``).
        level: Whether it has no value of its own along the axis: its score holds all along.
        cells: Of all its seeds.
    """

    name: str
    x: list[float]
    mean: list[float]
    std: list[float]
    level: bool
    cells: pd.DataFrame


def lines_along(cells: pd.DataFrame, axis: str) -> list[Line]:
    """A line for every combination of variant, corpus and what else differs.

    A variant that uses no synthetic sentence is a level line across the others' range where that is
    the axis.

    Args:
        cells: An experiment's cells.
        axis: A numeric column.
    """
    shown = [column for column in PLACE if column != axis and varies(cells, column)]
    values = sorted(cells[axis].unique())
    lines = []
    for key, rows in cells.groupby(["variant", *shown], sort=False):
        variant, *place = key
        told = dict(zip(shown, place, strict=True))
        if (rows["synthetic"] == 0).all() and axis != "synthetic":
            told = {c: v for c, v in told.items() if c in ("corpus", "shots")}
        name = ", ".join([str(variant), *(_said(c, v) for c, v in told.items())])
        scores = rows.groupby(axis)["micro_f1"]
        mean, std = scores.mean(), scores.agg(spread)
        level = len(mean) == 1 and len(values) > 1
        x = [values[0], values[-1]] if level else mean.index.tolist()
        twice = 2 if level else 1
        lines.append(Line(name, x, mean.tolist() * twice, std.tolist() * twice, level, rows))
    return lines


def f1_along(cells: pd.DataFrame, axis: str, title: str) -> go.Figure:
    """Micro-F1 against a column of the cells: mean and spread over seeds, and a dot per seed.

    Args:
        cells: An experiment's cells.
        axis: A numeric column.
        title: What it is, with its unit.
    """
    figure = go.Figure()
    for n, line in enumerate(lines_along(cells, axis)):
        colour = COLOURS[n % len(COLOURS)]
        figure.add_scatter(
            name=escape(line.name),
            x=line.x,
            y=line.mean,
            error_y=None if line.level else {"array": line.std, "color": colour},
            mode="lines" if line.level else "lines+markers",
            line={"color": colour, "dash": "dot" if line.level else "solid"},
        )
        figure.add_scatter(
            name=f"{escape(line.name)}, each seed",
            x=line.cells[axis],
            y=line.cells["micro_f1"],
            mode="markers",
            marker={"color": colour, "symbol": "circle-open", "size": 6},
            customdata=line.cells["seed"],
            hovertemplate="seed %{customdata}: %{y:.1f}<extra></extra>",
            showlegend=False,
        )
    figure.update_layout(
        title=f"Micro-F1 along {escape(title)}",
        xaxis={"title": escape(title), "tickvals": sorted(cells[axis].unique())},
        yaxis={"title": "micro-F1 without the negative relation, %"},
        template="plotly_white",
    )
    return figure


def _said(column: str, value: object) -> str:
    if column == "filtered":
        return "filtered" if value else "not filtered"
    if column == "writer":
        return "no language model" if value == NO_WRITER else f"written by {value}"
    return {"shots": "K = {}", "synthetic": "{} x K synthetic", "noise": "{} % noise"}.get(
        column, "{}"
    ).format(value)
