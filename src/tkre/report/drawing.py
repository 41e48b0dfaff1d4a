"""Drawing of figures: palette, kinds of panels, and SVG whose colours follow the page."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from math import ceil
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

import numpy as np
import pandas as pd
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR_SHEET = (files("tkre.report") / "templates/colours.css").read_text("utf-8")
COLOURS = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", COLOUR_SHEET.split("@media")[0]))
SERIES = 7  # colours of series; the eighth has the first colour again and another dash
STRONGEST = 0.55  # opacity of the strongest field of a matrix: its number stays legible
_WIDTH = 5.0  # inches of a panel: 360 units of its SVG, the width of a phone
_ROW, _FIELD = 0.47, 0.42  # inches of a row of bars, of a field of a matrix
_LETTERS, _LONG = 26, 44  # of the name of a relation beside a matrix, of a row
_DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_LEVEL: Any = (0, (1, 1.5))
_DPI = 144
_MOST_PIXELS = 10_000  # across or down: all of a picture are in memory, and a PNG ends at 65,535
_RC: Any = {
    "font.family": "DejaVu Sans", "font.size": 11, "text.color": COLOURS["ink"],
    "text.parse_math": False,  # labels are data: a dollar sign is a dollar sign
    "figure.facecolor": COLOURS["page"], "axes.facecolor": "none", "axes.axisbelow": True,
    "axes.edgecolor": COLOURS["line"], "axes.labelcolor": COLOURS["soft"], "axes.titlesize": 11,
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "legend.handlelength": 1.8, "lines.linewidth": 2,
    "svg.fonttype": "none",
}  # fmt: skip
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"#([\w-]+)")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_UNPRINTABLE = re.compile(r"[^\S ]+|[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


def _wide(rows: pd.DataFrame) -> tuple[float, float]:
    return _WIDTH, 3.4


@dataclass(frozen=True)
class Panel:
    """A kind of panel.

    Attributes:
        draw: Draws the rows of one panel on its axes.
        size: Width and height of a panel in inches, from its rows.
        scrolled: Whether it is scrolled on a narrow screen instead of scaled.
    """

    draw: Callable[[Axes, pd.DataFrame], None]
    size: Callable[[pd.DataFrame], tuple[float, float]] = _wide
    scrolled: bool = False


def draw(frame: pd.DataFrame, panel: Panel, *, legend: bool = True) -> Figure:
    """A figure with a panel for each value of the column ``panel``, at most three side by side.

    Args:
        frame: Rows of all panels. ``series``, where it is there, is categorical: its codes choose
            the colours, and its categories are the legend.
        panel: Kind of its panels.
        legend: Whether the names of the series stand below.
    """
    # matplotlib takes a second to import, and the graph reads this module.
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    facets = list(frame.groupby("panel", sort=False, observed=True))
    sizes = [panel.size(rows) for _, rows in facets] or [(_WIDTH, 1.0)]
    across = min(3, max(1, len(facets)))
    down = ceil(max(1, len(facets)) / across)
    handles = [
        Line2D([], [], label=name, **series_style(n, level=level))
        for n, (name, level) in enumerate(series_of(frame) if legend else [])
    ]
    width, height = (max(each) for each in zip(*sizes, strict=True))
    whole = (across * width, down * height + 0.24 * len(handles))
    with _styled():
        dpi = min(_DPI, _MOST_PIXELS / max(whole))
        figure = Figure(figsize=whole, dpi=dpi, layout="constrained")
        places = figure.subplots(down, across, squeeze=False).ravel()
        for axes, (name, rows) in zip(places, facets, strict=False):
            axes.tick_params(colors=COLOURS["soft"], labelsize=10, length=0)
            panel.draw(axes, rows)
            if len(facets) > 1:
                axes.set_title(printable(name))
        for axes in places[len(facets) :]:
            axes.set_axis_off()
        if not facets:
            figure.text(0.5, 0.5, "no scored sentence", ha="center", color=COLOURS["soft"])
        if handles:
            figure.legend(handles=handles, loc="outside lower left")
        figure.draw_without_rendering()  # ticks take their style when they are first drawn
        figure.set_layout_engine("none")  # places stay as they are now: half the time of saving
    return figure


@contextmanager
def _styled(**settings: str) -> Iterator[None]:
    import matplotlib as mpl

    with mpl.rc_context(_RC | settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a browser has fonts that Agg lacks
        yield


def _draw_bars(axes: Axes, rows: pd.DataFrame) -> None:
    """A bar for each row, its name and value above it, a tinted track behind it."""
    _name_rows(axes, rows, "{:.1f}")
    for y, row in enumerate(rows.to_dict("records")):
        if pd.isna(row["value"]):
            continue
        colour = series_style(row["series_number"])["color"]
        axes.barh(y, 100, height=0.3, color=COLOURS["tint"])
        axes.barh(y, row["value"], height=0.3, color=colour)
        if not pd.isna(row.get("std", np.nan)):
            ends = row["value"] - row["std"], row["value"] + row["std"]
            axes.hlines(y, *ends, color=COLOURS["ink"], linewidth=1.5)
        for score in row.get("each", ()):
            axes.plot(score, y, "o", ms=4.5, mfc=COLOURS["page"], mec=COLOURS["ink"], mew=1)
        if not pd.isna(row.get("mark", np.nan)):
            axes.vlines(row["mark"], y - 0.22, y + 0.22, color=COLOURS["ink"], linewidth=2)
    axes.set(xlim=(0, 100), xlabel="F1, %" if "f1" in rows else "micro-F1, %")


def _draw_dots(axes: Axes, rows: pd.DataFrame) -> None:
    """A dot with its interval for each row; a stroke marks zero."""
    _name_rows(axes, rows, "{:+.1f}")
    low, high = min(0.0, rows["low"].min()), max(0.0, rows["high"].max())
    margin = 0.04 * max(high - low, 1.0)
    axes.set_xlim(low - margin, high + margin)
    for y, row in enumerate(rows.to_dict("records")):
        colour = series_style(row["series_number"])["color"]
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


def _rows_size(rows: pd.DataFrame) -> tuple[float, float]:
    return _WIDTH, _ROW * len(rows) + 0.65


def lines(
    x: str = "", y: str = "", *, whole: bool = False, square: bool = False, ticks: bool = False
) -> Panel:
    """A line for each series.

    Rows have ``series``, ``x`` and ``value``; ``std`` makes whiskers, ``rows`` the size of marks,
    ``level`` a dotted line.

    Args:
        x: Title across; that of the column ``path`` if empty.
        y: Title up.
        whole: Whether values across are whole numbers.
        square: Whether both axes are per cent, and a diagonal shows where they are equal.
        ticks: Whether the values across are those of the rows.
    """

    def draw_lines(axes: Axes, rows: pd.DataFrame) -> None:
        axes.grid(axis="y", color=COLOURS["line"], linewidth=0.8)
        if square:
            axes.plot([0, 100], [0, 100], color=COLOURS["soft"], linewidth=1, linestyle=(0, (4, 3)))
            axes.set(xlim=(-3, 103), ylim=(-3, 103))
        for _, of in rows.groupby("series", sort=False, observed=True):
            _draw_line(axes, of)
        values = sorted(rows["x"].unique())
        if ticks and len(values) <= 8:
            axes.set_xticks(values, [f"{value:g}" for value in values])
        if whole:
            axes.locator_params(axis="x", integer=True)
        axes.set(xlabel=x or printable(rows["path"].iloc[0]), ylabel=y)

    return Panel(draw_lines)


def _draw_line(axes: Axes, rows: pd.DataFrame) -> None:
    """One series: its line, marks and whiskers."""
    level = bool(rows["level"].any()) if "level" in rows else False
    style = series_style(int(rows["series"].cat.codes.iloc[0]), level=level)
    colour = style["color"]
    marks = partial(axes.plot, marker="o", linestyle="", color=colour, clip_on=False)
    axes.plot(rows["x"], rows["value"], **style, clip_on=False)
    if "std" in rows and not level:
        known = rows[rows["std"].notna()]
        ends = known["value"] - known["std"], known["value"] + known["std"]
        axes.vlines(known["x"], *ends, color=colour, linewidth=1.5)
    if "rows" in rows:
        sizes = (3 + 12 * np.sqrt(rows["rows"] / max(rows["rows"].sum(), 1))).round()
        for size, same in rows.groupby(sizes):
            marks(same["x"], same["value"], ms=size, mec=COLOURS["page"], mew=0.5)
    elif len(rows) <= 30 and not level:
        marks(rows["x"], rows["value"], ms=5)


def _draw_matrix(axes: Axes, rows: pd.DataFrame) -> None:
    """Fields by gold and predicted relation; the stronger, the larger the share of the row."""
    labels = list(dict.fromkeys(rows["gold"]))
    at = {label: n for n, label in enumerate(labels)}
    for row in rows.to_dict("records"):
        x, y, count = at[row["predicted"]], at[row["gold"]], row["count"]
        colour = COLOURS["tint"] if not count else COLOURS["s0" if x == y else "s1"]
        alpha = 0.12 + (STRONGEST - 0.12) * row["share"] / 100 if count else 1
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


def _matrix_size(rows: pd.DataFrame) -> tuple[float, float]:
    labels = rows["gold"].unique()
    names = 0.09 * min(max(map(len, labels)), _LETTERS) + 0.5
    return (_FIELD * len(labels) + names,) * 2


BARS = Panel(_draw_bars, _rows_size)
DOTS = Panel(_draw_dots, _rows_size)
MATRIX = Panel(_draw_matrix, _matrix_size, scrolled=True)


def series_style(number: int, *, level: bool = False) -> dict[str, Any]:
    """Colour and dashes of a series by its place; a level one has no value of its own across."""
    dashes = _LEVEL if level else _DASHES[(number // SERIES) % len(_DASHES)]
    return {"color": COLOURS[f"s{number % SERIES}"], "linestyle": dashes}


def series_of(frame: pd.DataFrame) -> list[tuple[str, bool]]:
    """Names of the series for a legend, and whether each is level; none for fewer than two."""
    if "series" not in frame or len(frame["series"].cat.categories) < 2:
        return []
    level = frame.get("level", pd.Series(False, index=frame.index))
    by_name = level.groupby(frame["series"], observed=False).any()
    return [(printable(name), bool(flag)) for name, flag in by_name.items()]


def swatch(number: int, *, level: bool) -> Markup:
    """A sample of a series' line for a legend in HTML."""
    style = series_style(number, level=level)
    dashes = "none" if style["linestyle"] == "-" else " ".join(map(str, style["linestyle"][1]))
    return Markup(
        '<svg viewBox="0 0 24 12" class="swatch" aria-hidden="true"><path d="M1 6H23" '
        'style="stroke:var(--s{});stroke-width:2.5;stroke-dasharray:{}"/></svg>'
    ).format(number % SERIES, dashes)


def printable(words: object) -> str:
    """Text on one line without control characters, which XML forbids."""
    return _UNPRINTABLE.sub(" ", str(words))


def shortened(words: object, letters: int) -> str:
    """A name on one line, cut in its middle to a number of letters."""
    text = printable(words)
    if len(text) <= letters:
        return text
    kept = letters - 1
    return f"{text[: kept - kept // 2]}…{text[len(text) - kept // 2 :]}"


def svg(figure: Figure, label: str, *, standalone: bool = False) -> Markup:
    """A figure as SVG whose colours are variables of the page (``colours.css``).

    The output depends on the figure and the label alone.

    Args:
        figure: Drawn in the palette.
        label: Alternative text; no two figures of a page may have the same.
        standalone: Whether it is a file with palette and ground, not part of a page.
    """
    buffer = io.BytesIO()
    salt = hashlib.sha256(label.encode("utf-8", "replace")).hexdigest()[:8]
    with _styled(**{"svg.hashsalt": salt}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = Xml.fromstring(buffer.getvalue())
    _plain(root, salt)
    width = root.attrib.pop("width").removesuffix("pt")
    root.attrib.pop("height")
    root.attrib |= {"role": "img", "aria-label": printable(label), "style": f"--w:{width}px"}
    if standalone:
        root.attrib |= {"xmlns": _SVG[1:-1], "width": f"{1.5 * float(width):g}"}
        ground = Xml.Element("rect", width="100%", height="100%", style="fill: var(--page)")
        style = Xml.Element("style")
        style.text = COLOUR_SHEET
        root[:0] = [style, ground]
    return Markup(Xml.tostring(root, encoding="unicode"))


def _plain(root: Xml.Element, prefix: str) -> None:
    """Removes what a page does not need; colours become variables, ids are of this figure alone."""
    for element in (root.find(f"{_SVG}metadata"), root.find(f"{_SVG}defs[{_SVG}style]")):
        if element is not None:
            root.remove(element)
    names = {colour: name for name, colour in COLOURS.items()}
    used = {n for e in root.iter() for v in e.attrib.values() for n in _REFERENCE.findall(v)}
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        attributes = {k.removeprefix(_XLINK): v for k, v in element.attrib.items()}
        if attributes.get("id") not in used:
            attributes.pop("id", None)
        element.attrib = {k: _renamed(k, v, names, prefix) for k, v in attributes.items()}


def _renamed(key: str, value: str, names: dict[str, str], prefix: str) -> str:
    if key == "id":
        return f"{prefix}-{value}"
    if key == "style":
        value = re.sub(r"font-family: [^;]*(; )?", "", value)
        return _COLOUR.sub(lambda c: f"var(--{names[c[0]]})", value)
    return _REFERENCE.sub(rf"#{prefix}-\1", value) if key in ("href", "clip-path") else value
