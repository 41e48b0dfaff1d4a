"""Reliability and risk-coverage of an experiment's classifiers, for the catalog and the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tkre.evaluation.figures import COLOURS, places_of
from tkre.evaluation.grouping import SETTING
from tkre.evaluation.trust_tables import COVERAGES

_PANELS = ("before: as the classifier puts it", "after: with its temperature", "risk and coverage")


def trust_by_variant(scores: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Three panels, a colour per variant; a menu chooses the place of the grid.

    Bins of the reliability diagrams are summed over seeds, risks averaged over them.

    Args:
        scores: ``score_trust`` of every cell.
    """
    figure = make_subplots(rows=1, cols=3, subplot_titles=_PANELS, horizontal_spacing=0.07)
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    cells = pd.DataFrame([{name: s[name] for name in SETTING} for s in scores], columns=SETTING)
    for s, place in zip(scores, places_of(cells), strict=True):
        groups.setdefault((escape(place), escape(str(s["variant"]))), []).append(s)
    places = list(dict.fromkeys(place for place, _ in groups))
    variants = list(dict.fromkeys(variant for _, variant in groups))
    _add_line(figure, {"x": [0, 100], "y": [0, 100]}, 1)
    _add_line(figure, {"x": [0, 100], "y": [0, 100]}, 2)
    of_trace: list[str | None] = [None, None]
    for (place, variant), of_seeds in groups.items():
        colour = COLOURS[variants.index(variant) % len(COLOURS)]
        traces = _traces(variant, of_seeds, colour)
        for panel, trace in enumerate(traces, start=1):
            trace.visible = place == places[0]
            figure.add_trace(trace, row=1, col=panel)
        of_trace += [place] * len(traces)
    figure.update_layout(
        title=_title(places[0]) if places else "Trust",
        template="plotly_white",
        width=1350,
        height=560,
        legend={"orientation": "h", "y": -0.2},
        updatemenus=[_menu(places, of_trace)] if len(places) > 1 else [],
    )
    for panel in (1, 2):
        figure.update_xaxes(title="confidence, %", range=[0, 100], row=1, col=panel)
        figure.update_yaxes(title="right, %", range=[0, 100], row=1, col=panel)
    figure.update_xaxes(title="answers given, the surest first, %", range=[0, 100], row=1, col=3)
    figure.update_yaxes(title="wrong among them, %", rangemode="tozero", row=1, col=3)
    return figure


def _traces(variant: str, of_seeds: Sequence[Mapping[str, Any]], colour: str) -> list[go.Scatter]:
    traces = []
    for when in ("before", "after"):
        bins = pooled_bins([s[f"reliability_{when}"] for s in of_seeds])
        traces.append(
            go.Scatter(
                name=variant,
                legendgroup=variant,
                showlegend=when == "before",
                x=100 * bins["confidence"],
                y=100 * bins["accuracy"],
                customdata=bins["rows"],
                mode="lines+markers",
                cliponaxis=False,
                marker={
                    "color": colour,
                    "size": 4 + 26 * np.sqrt(bins["rows"] / max(bins["rows"].sum(), 1)),
                    "opacity": 0.7,
                },
                line={"color": colour, "width": 1},
                hovertemplate=(
                    "claimed %{x:.1f} %, right %{y:.1f} %<br>%{customdata} sentences<extra></extra>"
                ),
            )
        )
    risks = mean_risks(of_seeds)
    traces.append(
        go.Scatter(
            name=variant,
            legendgroup=variant,
            showlegend=False,
            x=100 * COVERAGES if risks else [],
            y=risks,
            mode="lines",
            line={"color": colour, "width": 2},
            hovertemplate="of %{x:.0f} % given, %{y:.1f} % wrong<extra></extra>",
        )
    )
    return traces


def mean_risks(of_seeds: Sequence[Mapping[str, Any]]) -> list[float]:
    """Per cent wrong at each of ``COVERAGES``, mean over seeds; empty where nothing is answered."""
    risks = [s["risks"] for s in of_seeds if s["risks"]]
    means: list[float] = np.mean(risks, axis=0).tolist() if risks else []
    return means


def pooled_bins(of_seeds: Sequence[Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """Bins of several seeds as one, those with sentences."""
    bins = pd.concat([pd.DataFrame(b) for b in of_seeds])
    weighed = bins[["confidence", "accuracy"]].mul(bins["rows"], axis=0)
    sums = weighed.assign(rows=bins["rows"]).groupby(bins["from"]).sum()
    sums = sums[sums["rows"] > 0]
    return sums.assign(
        confidence=sums["confidence"] / sums["rows"], accuracy=sums["accuracy"] / sums["rows"]
    )


def _add_line(figure: go.Figure, points: Mapping[str, Sequence[float]], panel: int) -> None:
    line = go.Scatter(
        **points,
        mode="lines",
        line={"color": "#999", "dash": "dot", "width": 1},
        showlegend=False,
        hoverinfo="skip",
    )
    figure.add_trace(line, row=1, col=panel)


def _title(place: str) -> str:
    return f"Are claims right, and what does asking for sureness cost? {place}"


def _menu(places: Sequence[str], of_trace: Sequence[str | None]) -> dict[str, Any]:
    buttons = [
        {
            "label": place,
            "method": "update",
            "args": [
                {"visible": [of in (None, place) for of in of_trace]},
                {"title.text": _title(place)},
            ],
        }
        for place in places
    ]
    return {"buttons": buttons, "active": 0, "x": 1, "xanchor": "right", "y": 1.18}
