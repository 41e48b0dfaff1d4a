"""Figures of an experiment, for the catalog and the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go

from tkre.evaluation.metrics import Floats
from tkre.evaluation.spread import spread
from tkre.evaluation.tables import PLACE, varies
from tkre.params import NO_WRITER

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")


def f1_by_variant(cells: pd.DataFrame) -> go.Figure:
    """Micro-F1 of every variant: a bar for the mean, a dot per seed, a whisker for the spread.

    Args:
        cells: An experiment's cells; corpora and shots stand side by side.
    """
    figure = go.Figure()
    cells = cells.assign(place=places_of(cells))
    places, variants = list(dict.fromkeys(cells["place"])), list(dict.fromkeys(cells["variant"]))
    for n, variant in enumerate(variants):
        rows = cells[cells["variant"] == variant]
        scores = rows.groupby("place", sort=False)["micro_f1"]
        mean, std = scores.mean().reindex(places), scores.agg(spread).reindex(places)
        colour = COLOURS[n % len(COLOURS)]
        figure.add_bar(
            name=escape(variant),
            x=places,
            y=mean,
            error_y={"array": std, "color": "#444"},
            marker_color=colour,
            offsetgroup=variant,
            text=[f"{value:.1f}" for value in mean],
            textposition="inside",
            insidetextanchor="start",
        )
        figure.add_scatter(
            name=f"{escape(variant)}, each seed",
            x=rows["place"],
            y=rows["micro_f1"],
            mode="markers",
            marker={"color": "white", "line": {"color": "#222", "width": 1}, "size": 7},
            offsetgroup=variant,
            showlegend=False,
            customdata=rows["seed"],
            hovertemplate="seed %{customdata}: %{y:.1f}<extra></extra>",
        )
    how = ": mean, spread and each seed" if cells["seed"].nunique() > 1 else ""
    figure.update_layout(
        title=f"Micro-F1 by variant{how}",
        yaxis={"title": "micro-F1 without the negative relation, %", "range": [0, 100]},
        barmode="group",
        scattermode="group",
        template="plotly_white",
    )
    return figure


def places_of(cells: pd.DataFrame) -> pd.Series:
    """Where a cell stands, in words; of what does not differ, only corpus and K are said."""
    return cells["corpus"] + ", K = " + cells["shots"].astype(str) + beside_shots(cells)


def beside_shots(cells: pd.DataFrame) -> pd.Series:
    """What of the place of cells differs beside corpus and K: words that begin with a comma."""
    places = pd.Series("", index=cells.index, dtype=object)
    if varies(cells, "synthetic"):
        places += ", " + cells["synthetic"].astype(str) + " x K synthetic"
    if varies(cells, "noise"):
        places += ", " + cells["noise"].astype(str) + " % noise"
    if varies(cells, "filtered"):
        places += cells["filtered"].map({True: ", filtered", False: ""})
    if varies(cells, "writer"):
        places += cells["writer"].map(lambda w: "" if w == NO_WRITER else f", written by {w}")
    return places


@dataclass(frozen=True)
class Confusion:
    """How often the relation of a row was taken for that of a column.

    Attributes:
        labels: Of rows and columns.
        counts: Numbers of sentences, R x R, summed over seeds.
    """

    labels: list[str]
    counts: npt.NDArray[np.int64]

    @property
    def shares(self) -> Floats:
        """Per cent of each row; 0 where a relation has no sentence."""
        totals = self.counts.sum(axis=1, keepdims=True)
        nothing = np.zeros(self.counts.shape)
        return np.divide(100.0 * self.counts, totals, out=nothing, where=totals > 0)


def confusions(metrics: Sequence[Mapping[str, Any]]) -> dict[str, Confusion]:
    """The confusion matrices of all settings, by the words for variant and place."""
    sums: dict[str, Confusion] = {}
    cells = pd.DataFrame([{name: m[name] for name in PLACE} for m in metrics], columns=PLACE)
    for m, place in zip(metrics, places_of(cells), strict=True):
        key, counts = f"{m['variant']}: {place}", np.asarray(m["confusion"]["counts"])
        before = sums[key].counts if key in sums else np.zeros_like(counts)
        sums[key] = Confusion(m["confusion"]["labels"], before + counts)
    return sums


def confusion_by_variant(metrics: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Confusion matrices, summed over seeds; a menu chooses the place of the grid and the variant.

    Rows are gold relations; colours are shares of a row, figures are numbers of sentences.
    """
    sums = {escape(key): confusion for key, confusion in confusions(metrics).items()}
    labels = {key: [escape(label) for label in c.labels] for key, c in sums.items()}
    figure, keys = go.Figure(), list(sums)
    shown = len(keys) - 1  # the last variant of an experiment is the one it is about
    for n, key in enumerate(keys):
        figure.add_heatmap(
            z=sums[key].shares,
            x=labels[key],
            y=labels[key],
            customdata=sums[key].counts,
            text=[[str(count) if count else "" for count in row] for row in sums[key].counts],
            texttemplate="%{text}",
            zmin=0,
            zmax=100,
            colorscale="Blues",
            colorbar={"title": "% of row"},
            visible=n == shown,
            hovertemplate=(
                "gold %{y}<br>predicted %{x}<br>%{customdata} sentences, %{z:.1f} %<extra></extra>"
            ),
        )
    buttons = [
        {
            "label": key,
            "method": "update",
            "args": [{"visible": [k == key for k in keys]}, {"title.text": f"Confusion, {key}"}],
        }
        for key in keys
    ]
    size = max(520, 30 * max((len(names) for names in labels.values()), default=0) + 260)
    figure.update_layout(
        title=f"Confusion, {keys[shown]}" if keys else "Confusion",
        xaxis={"title": "predicted", "tickangle": -45, "automargin": True},
        yaxis={"title": "gold", "autorange": "reversed", "automargin": True},
        updatemenus=[{"buttons": buttons, "active": shown, "x": 1, "xanchor": "right", "y": 1.12}],
        template="plotly_white",
        width=size + 160,
        height=size,
    )
    return figure
