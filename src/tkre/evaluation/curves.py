"""F1 along an axis of an experiment: K, synthetic sentences, planted noise, a parameter."""

from __future__ import annotations

from html import escape

import pandas as pd
import plotly.graph_objects as go

from tkre.evaluation.figures import COLOURS
from tkre.evaluation.tables import PLACE, varies
from tkre.params import NO_WRITER


def f1_along(cells: pd.DataFrame, axis: str, title: str) -> go.Figure:
    """Micro-F1 against a column of the cells: mean and spread over seeds, and a dot per seed.

    A line for every combination of variant, corpus and what else differs. A variant that uses no
    synthetic sentence is a level line across the others' range where that is the axis.

    Args:
        cells: An experiment's cells.
        axis: A numeric column.
        title: What it is, with its unit.
    """
    figure = go.Figure()
    shown = [column for column in PLACE if column != axis and varies(cells, column)]
    spread = sorted(cells[axis].unique())
    for n, (key, rows) in enumerate(cells.groupby(["variant", *shown], sort=False)):
        variant, *values = key
        told = dict(zip(shown, values, strict=True))
        if (rows["synthetic"] == 0).all() and axis != "synthetic":
            told = {c: v for c, v in told.items() if c in ("corpus", "shots")}
        name = ", ".join([str(variant), *(_said(c, v) for c, v in told.items())])
        scores = rows.groupby(axis)["micro_f1"]
        mean, deviation = scores.mean(), scores.std(ddof=0)
        level = len(mean) == 1 and len(spread) > 1
        colour = COLOURS[n % len(COLOURS)]
        figure.add_scatter(
            name=escape(name),
            x=[spread[0], spread[-1]] if level else mean.index,
            y=[mean.iloc[0]] * 2 if level else mean,
            error_y=None if level else {"array": deviation, "color": colour},
            mode="lines" if level else "lines+markers",
            line={"color": colour, "dash": "dot" if level else "solid"},
        )
        figure.add_scatter(
            name=f"{escape(name)}, each seed",
            x=rows[axis],
            y=rows["micro_f1"],
            mode="markers",
            marker={"color": colour, "symbol": "circle-open", "size": 6},
            customdata=rows["seed"],
            hovertemplate="seed %{customdata}: %{y:.1f}<extra></extra>",
            showlegend=False,
        )
    figure.update_layout(
        title=f"Micro-F1 along {escape(title)}",
        xaxis={"title": escape(title), "tickvals": spread},
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
