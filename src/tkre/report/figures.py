"""How training went: losses of pre-training and validation F1 of fine-tuning, epoch by epoch.

Figures of an experiment, for the catalog and the browser.

F1 along an axis of an experiment: K, synthetic sentences, planted noise, a parameter.

Reliability and risk-coverage of an experiment's classifiers, for the catalog and the browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tkre.core.params import NO_LLM
from tkre.evaluation.calibration_report import COVERAGES
from tkre.evaluation.metrics import Floats
from tkre.evaluation.results import GROUP_KEYS, GROUP_KEYS_WITH_VARIANT, std_over_seeds, varies
from tkre.evaluation.training_curves import FINETUNING
from tkre.training.stages import STAGES


def learning_curves(table: pd.DataFrame) -> go.Figure:
    """A panel for each stage, a line for each variant: the mean over seeds, epoch by epoch.

    Args:
        table: From ``training_curves``.
    """
    order = [*STAGES, FINETUNING]
    stages = [stage for stage in order if (table["stage"] == stage).any()]
    titles = [
        "validation micro-F1, %" if stage == FINETUNING else f"{stage} loss" for stage in stages
    ]
    figure = make_subplots(rows=1, cols=max(1, len(stages)), subplot_titles=titles or None)
    table = table.assign(name=table["variant"] + "; " + places_of(table))
    if table["name"].nunique() == table["variant"].nunique():
        table = table.assign(name=table["variant"])
    for n, name in enumerate(table["name"].unique()):
        for column, stage in enumerate(stages, start=1):
            rows = table[(table["name"] == name) & (table["stage"] == stage)]
            means = rows.groupby("epoch")["value"].mean()
            figure.add_scatter(
                x=means.index,
                y=means,
                name=escape(str(name)),
                legendgroup=str(n),
                showlegend=stage == stages[-1],
                mode="lines+markers" if len(means) == 1 else "lines",
                line={"color": COLOURS[n % len(COLOURS)]},
                row=1,
                col=column,
            )
            figure.update_xaxes(title="epoch", row=1, col=column)
    how = ", mean over seeds" if table["seed"].nunique() > 1 else ""
    figure.update_layout(title=f"Training{how}", template="plotly_white")
    return figure


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
        mean, std = scores.mean().reindex(places), scores.agg(std_over_seeds).reindex(places)
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
    if varies(cells, "llm"):
        places += cells["llm"].map(lambda w: "" if w == NO_LLM else f", written by {w}")
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
    cells = pd.DataFrame(
        [{name: m[name] for name in GROUP_KEYS} for m in metrics], columns=GROUP_KEYS
    )
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
    shown = [column for column in GROUP_KEYS if column != axis and varies(cells, column)]
    values = sorted(cells[axis].unique())
    lines = []
    for key, rows in cells.groupby(["variant", *shown], sort=False):
        variant, *place = key
        told = dict(zip(shown, place, strict=True))
        if (rows["synthetic"] == 0).all() and axis != "synthetic":
            told = {c: v for c, v in told.items() if c in ("corpus", "shots")}
        name = ", ".join([str(variant), *(_said(c, v) for c, v in told.items())])
        scores = rows.groupby(axis)["micro_f1"]
        mean, std = scores.mean(), scores.agg(std_over_seeds)
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
    if column == "llm":
        return "no language model" if value == NO_LLM else f"written by {value}"
    return {"shots": "K = {}", "synthetic": "{} x K synthetic", "noise": "{} % noise"}.get(
        column, "{}"
    ).format(value)


_PANELS = ("before: as the classifier puts it", "after: with its temperature", "risk and coverage")


def calibration_by_variant(scores: Sequence[Mapping[str, Any]]) -> go.Figure:
    """Three panels, a colour per variant; a menu chooses the place of the grid.

    Bins of the reliability diagrams are summed over seeds, risks averaged over them.

    Args:
        scores: ``score_calibration`` of every cell.
    """
    figure = make_subplots(rows=1, cols=3, subplot_titles=_PANELS, horizontal_spacing=0.07)
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    cells = pd.DataFrame(
        [{name: s[name] for name in GROUP_KEYS_WITH_VARIANT} for s in scores],
        columns=GROUP_KEYS_WITH_VARIANT,
    )
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
        title=_title(places[0]) if places else "Calibrator",
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
