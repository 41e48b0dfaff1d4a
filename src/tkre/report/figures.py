"""The figures of an experiment: each reads one table or list of records and draws its panels.

``FIGURES`` is the one list: the pipeline saves its entries, and the report, the published results
and notebooks show them. A new figure is an entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tkre.report import frames
from tkre.report.drawing import COLOURS, WIDTH, Panel, draw, printable, series_style, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW, _FIELD = 0.47, 0.42  # inches of a row of bars, of a field of a matrix
_LETTERS, _LONG = 26, 44  # of the name of a relation beside a matrix, of a row
_LEVEL = "A dotted line has no value of its own along the axis."
_STRONGEST = 0.55  # opacity of the strongest field: its number stays legible


@dataclass(frozen=True)
class FigureKind:
    """One figure.

    Attributes:
        title: Title in the report and in docs.
        section: Section of the report that shows it.
        reads: Source: a table of the experiment (``cells``, ``summary``, ``training_curves``) or
            the records of its cells (``metrics``, ``calibration_scores``).
        frame: Makes the rows that are drawn, from the source and the name of the baseline. A row
            has ``panel``, the columns that the panel needs, and those of the table behind it.
        panel: Draws the rows of one panel.
        size: Width and height of a panel in inches, from its rows.
        caption: How it is read.
        over_seeds: Second sentence of the caption where scores are means over seeds.
        labels: Columns of words of the table behind it, with their headings.
        figures: Columns of numbers, likewise.
        axis: Axis of the grid that it needs; None for any experiment.
        wide: Whether it is scrolled on a narrow screen instead of scaled.
        behind: Rows of the frame that the table behind the figure shows.
    """

    title: str
    section: str
    reads: str
    frame: Callable[[Any, str], pd.DataFrame]
    panel: Panel
    size: Callable[[pd.DataFrame], tuple[float, float]]
    caption: str
    labels: Mapping[str, str]
    figures: Mapping[str, str]
    over_seeds: str = ""
    axis: str | None = None
    wide: bool = False
    behind: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows

    def titled(self, frame: pd.DataFrame) -> str:
        """The title; that of a curve along a parameter names the parameter."""
        return f"{self.title} {frame['path'].iloc[0]}" if "path" in frame else self.title

    def note(self, frame: pd.DataFrame, *, several_seeds: bool) -> str:
        """How the figure is read, as far as its rows need it."""
        level = "level" in frame and frame["level"].any()
        parts = [self.over_seeds if several_seeds else "", self.caption, _LEVEL if level else ""]
        return " ".join(part for part in parts if part)

    def draw(self, source: Any, baseline: str = "") -> Figure:
        """The whole figure, all panels and the legend.

        Args:
            source: The table or the records that ``reads`` names.
            baseline: Variant that others are compared with.
        """
        return draw(self.frame(source, baseline), self.panel, self.size)


# Panels: what is drawn of the rows of a frame.


def _bars(axes: Axes, rows: pd.DataFrame) -> None:
    """A bar for each row, its name and value above it, a tinted track behind it."""
    _name_rows(axes, rows, "{:.1f}")
    for y, row in enumerate(rows.to_dict("records")):
        if pd.isna(row["value"]):
            continue
        colour = series_style(int(row["series_number"]))["color"]
        axes.barh(y, 100, height=0.3, color=COLOURS["tint"])
        axes.barh(y, row["value"], height=0.3, color=colour)
        if not pd.isna(row.get("std", np.nan)):
            ends = row["value"] - row["std"], row["value"] + row["std"]
            axes.hlines(y, *ends, color=COLOURS["ink"], linewidth=1.5)
        for score in row.get("each", ()):
            axes.plot(score, y, "o", ms=4.5, mfc=COLOURS["page"], mec=COLOURS["ink"], mew=1)
        if not pd.isna(row.get("mark", np.nan)):
            axes.vlines(row["mark"], y - 0.22, y + 0.22, color=COLOURS["ink"], linewidth=2)
    axes.set(xlim=(0, 100), xlabel="F1, %" if "f1" in rows else frames.F1)


def _dots(axes: Axes, rows: pd.DataFrame) -> None:
    """A dot with its interval for each row; a stroke marks zero."""
    _name_rows(axes, rows, "{:+.1f}")
    low, high = min(0.0, rows["low"].min()), max(0.0, rows["high"].max())
    margin = 0.04 * max(high - low, 1.0)
    axes.set_xlim(low - margin, high + margin)
    for y, row in enumerate(rows.to_dict("records")):
        colour = series_style(int(row["series_number"]))["color"]
        axes.hlines(y, *axes.get_xlim(), color=COLOURS["line"], linewidth=0.8)
        axes.vlines(0, y - 0.15, y + 0.15, color=COLOURS["soft"], linewidth=1.2)
        axes.hlines(y, row["low"], row["high"], color=colour)
        axes.plot(row["value"], y, "o", ms=8, color=colour, mec=COLOURS["page"])
    axes.set_xlabel("points of micro-F1")


def _name_rows(axes: Axes, rows: pd.DataFrame, number: str) -> None:
    """Names above the rows at the left, numbers at the right: no line runs through them."""
    axes.set(ylim=(len(rows) - 0.55, -0.95), yticks=[])
    axes.spines["left"].set_visible(False)
    for y, (label, value) in enumerate(zip(rows["label"], rows["value"], strict=True)):
        words = "no sentence" if pd.isna(value) else number.format(value)
        at: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center"}
        axes.text(0, y - 0.42, shortened(label, _LONG), **at)
        axes.text(1, y - 0.42, words, ha="right", fontweight="bold", **at)


def _lines(
    axes: Axes,
    rows: pd.DataFrame,
    *,
    x: str = "",
    y: str = "",
    whole: bool = False,
    square: bool = False,
    ticks: bool = False,
) -> None:
    """A line for each series.

    Args:
        axes: Where to draw.
        rows: ``x`` and ``value``, by ``series``; ``std`` makes whiskers, ``rows`` the size of
            marks, ``level`` a dotted line.
        x: Title across; that of the column ``path`` if empty.
        y: Title up.
        whole: Whether values across are whole numbers.
        square: Whether both axes are per cent, and a diagonal shows where they are equal.
        ticks: Whether the values across are those of the rows.
    """
    axes.grid(axis="y", color=COLOURS["line"], linewidth=0.8)
    if square:
        axes.plot([0, 100], [0, 100], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
        axes.set(xlim=(-3, 103), ylim=(-3, 103))
    for name, of in rows.groupby("series", sort=False, observed=True):
        number = int(rows["series"].cat.categories.get_loc(name))
        level = bool(of["level"].any()) if "level" in of else False
        axes.plot(of["x"], of["value"], **series_style(number, level=level), clip_on=False)
        colour = series_style(number)["color"]
        if "std" in of and not level:
            known = of[of["std"].notna()]
            ends = known["value"] - known["std"], known["value"] + known["std"]
            axes.vlines(known["x"], *ends, color=colour, linewidth=1.5)
        if "rows" in of:
            sizes = (3 + 12 * np.sqrt(of["rows"] / max(of["rows"].sum(), 1))).round()
            for size, same in of.groupby(sizes):
                axes.plot(same["x"], same["value"], "o", ms=size, color=colour, clip_on=False,
                          mec=COLOURS["page"], mew=0.5)  # fmt: skip
        elif len(of) <= 30 and not level:
            axes.plot(of["x"], of["value"], "o", ms=5, color=colour, clip_on=False)
    if ticks and rows["x"].nunique() <= 8:
        axes.set_xticks(sorted(rows["x"].unique()), [f"{v:g}" for v in sorted(rows["x"].unique())])
    if whole:
        axes.locator_params(axis="x", integer=True)
    axes.set(xlabel=x or printable(rows["path"].iloc[0]), ylabel=y)


def _matrix(axes: Axes, rows: pd.DataFrame) -> None:
    """Fields by gold and predicted relation; the stronger, the larger the share of the row."""
    labels = list(dict.fromkeys(rows["gold"]))
    at = {label: n for n, label in enumerate(labels)}
    for row in rows.to_dict("records"):
        x, y, count = at[row["predicted"]], at[row["gold"]], row["count"]
        colour = COLOURS["tint"] if not count else COLOURS["s0" if x == y else "s1"]
        alpha = 0.12 + (_STRONGEST - 0.12) * row["share"] / 100 if count else 1
        axes.barh(y, 0.92, left=x - 0.46, height=0.92, color=colour, alpha=alpha)
        if count:
            axes.text(x, y, f"{count:,}", ha="center", va="center", fontsize=11)
    names = [shortened(label, _LETTERS) for label in labels]
    places = range(len(labels))
    axes.set(xlim=(-0.5, len(labels) - 0.5), ylim=(len(labels) - 0.5, -0.5), ylabel="gold")
    axes.set_yticks(places, names)
    axes.set_xticks(places, names, rotation=90, rotation_mode="anchor", ha="left", va="center")
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False,
                     colors=COLOURS["ink"], labelsize=11)  # fmt: skip
    axes.set_xlabel("predicted")
    axes.xaxis.set_label_position("top")
    axes.spines[:].set_visible(False)


def _rows_size(rows: pd.DataFrame) -> tuple[float, float]:
    return WIDTH, _ROW * len(rows) + 0.65


def _lines_size(rows: pd.DataFrame) -> tuple[float, float]:
    return WIDTH, 3.4


def _matrix_size(rows: pd.DataFrame) -> tuple[float, float]:
    labels = rows["gold"].unique()
    names = 0.09 * min(max(map(len, labels)), _LETTERS) + 0.5
    return (_FIELD * len(labels) + names,) * 2


_SCORE = {"value": "micro-F1", "std": "standard deviation"}


def _f1_along(axis: str, title: str) -> FigureKind:
    frame = frames.along_parameter if axis == "parameter" else partial(frames.along, axis)
    return FigureKind(
        title=f"Micro-F1 along {title}".strip(),
        section="scores",
        reads="metrics" if axis == "parameter" else "cells",
        frame=frame,
        panel=partial(_lines, x=title, y=frames.F1, ticks=True),
        size=_lines_size,
        caption="",
        over_seeds="Means over seeds; whiskers are one standard deviation.",
        labels={"series": "variant", "x": title or "value"},
        figures=_SCORE,
        axis=axis,
    )


FIGURES: dict[str, FigureKind] = {
    "f1_by_variant": FigureKind(
        title="Micro-F1 by variant",
        section="scores",
        reads="cells",
        frame=frames.by_variant,
        panel=_bars,
        size=_rows_size,
        caption="Per cent.",
        over_seeds="Bars are means over seeds, circles single seeds, whiskers one standard "
        "deviation.",
        labels={"label": "variant"},
        figures=_SCORE | {"seeds": "seeds"},
    ),
    "differences": FigureKind(
        title="Difference to the baseline",
        section="scores",
        reads="summary",
        frame=frames.differences,
        panel=_dots,
        size=_rows_size,
        caption="Points of micro-F1 with paired bootstrap intervals; the stroke is zero.",
        labels={"label": "variant"},
        figures={"value": "difference", "low": "from", "high": "to"},
    ),
    "f1_by_shots": _f1_along("shots", "K, labelled sentences per relation"),
    "f1_by_synthetic": _f1_along("synthetic", "synthetic sentences per relation, x K"),
    "f1_by_noise": _f1_along("noise", "% of synthetic sentences under a wrong label"),
    "f1_by_parameter": _f1_along("parameter", ""),
    "f1_by_relation": FigureKind(
        title="F1 by relation",
        section="error-analysis",
        reads="metrics",
        frame=frames.by_relation,
        panel=_bars,
        size=_rows_size,
        caption="Bars are the best variant; a stroke marks the baseline.",
        over_seeds="Means over seeds; numbers of sentences are those of one seed.",
        labels={"relation": "relation"},
        figures={"f1": "F1", "mark": "F1 of the baseline", "precision": "precision",
                 "recall": "recall", "gold": "sentences", "guessed": "predicted"},
    ),
    "confusion": FigureKind(
        title="Confusion",
        section="error-analysis",
        reads="metrics",
        frame=frames.confusion,
        panel=_matrix,
        size=_matrix_size,
        caption="Numbers of sentences: rows are gold relations, columns predicted ones. The "
        "stronger a field, the larger its share of the row; right ones are on the diagonal.",
        over_seeds="Summed over seeds.",
        labels={"gold": "gold", "predicted": "predicted"},
        figures={"count": "sentences", "share": "% of gold"},
        wide=True,
        behind=lambda rows: rows[rows["count"] > 0],
    ),
    "reliability": FigureKind(
        title="Reliability",
        section="calibration",
        reads="calibration_scores",
        frame=frames.reliability,
        panel=partial(_lines, x="confidence, %", y="right, %", square=True),
        size=_lines_size,
        caption="Share of right labels among those predicted with a confidence. On the dashed "
        "line both are equal, below it the classifier is overconfident. Larger marks are more "
        "sentences.",
        labels={"series": "variant"},
        figures={"x": "confidence", "value": "right", "rows": "sentences"},
    ),
    "risk_coverage": FigureKind(
        title="Risk and coverage",
        section="calibration",
        reads="calibration_scores",
        frame=frames.risk,
        panel=partial(_lines, x="answers given, surest first, %", y="wrong among them, %"),
        size=_lines_size,
        caption="Share of wrong answers if only the surest are given. Negative predictions are no "
        "answers.",
        over_seeds="Means over seeds.",
        labels={"series": "variant"},
        figures={"x": "answers given", "value": "wrong among them"},
        behind=lambda rows: rows[rows["x"].round().isin([10, 25, 50, 75, 90, 100])],
    ),
    "training_curves": FigureKind(
        title="Training curves",
        section="training",
        reads="training_curves",
        frame=frames.training,
        panel=partial(_lines, x="epoch", whole=True),
        size=_lines_size,
        caption="Losses of variants that mask different shares of words are not comparable; how "
        "fast they fall is.",
        over_seeds="Means over seeds.",
        labels={"series": "variant", "stage": "stage", "x": "epoch"},
        figures={"value": "value"},
    ),
}  # fmt: skip


def drawable(axes: Collection[str]) -> list[str]:
    """Names of the figures of an experiment with several values along these axes."""
    return [name for name, kind in FIGURES.items() if kind.axis is None or kind.axis in axes]
