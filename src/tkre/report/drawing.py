"""Style of all figures: palette, panels side by side, and SVG whose colours follow the page."""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from importlib.resources import files
from math import ceil
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as Xml

import pandas as pd
from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOUR_SHEET = (files("tkre.report") / "templates/colours.css").read_text("utf-8")
COLOURS = dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", COLOUR_SHEET.split("@media")[0]))
SERIES = 7  # colours of series; the eighth has the first colour again and another dash
WIDTH = 5.0  # inches of a panel: 360 units of its SVG, the width of a phone
_DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_LEVEL: Any = (0, (1, 1.5))
_DPI = 144
_RC: Any = {
    "font.family": "DejaVu Sans", "font.size": 11, "text.color": COLOURS["ink"],
    "text.parse_math": False,  # labels are data: a dollar sign is a dollar sign
    "figure.facecolor": COLOURS["page"], "axes.facecolor": "none", "axes.axisbelow": True,
    "axes.edgecolor": COLOURS["line"], "axes.labelcolor": COLOURS["soft"], "axes.titlesize": 11,
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False,
    "legend.frameon": False, "legend.handlelength": 1.8, "lines.linewidth": 2,
}  # fmt: skip
_SVG, _XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
_REFERENCE = re.compile(r"#([\w-]+)")
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_UNPRINTABLE = re.compile(r"[^\S ]+|[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")

Panel = Callable[["Axes", pd.DataFrame], None]


def draw(
    frame: pd.DataFrame,
    panel: Panel,
    size: Callable[[pd.DataFrame], tuple[float, float]],
    *,
    legend: bool = True,
) -> Figure:
    """A figure with a panel for each value of the column ``panel``, at most three side by side.

    Args:
        frame: Rows of all panels. ``series``, where it is there, is categorical: its codes choose
            the colours, and its categories are the legend.
        panel: Draws the rows of one panel.
        size: Width and height of a panel in inches, from its rows.
        legend: Whether the names of the series stand below.
    """
    # matplotlib takes a second to import, and the graph reads this module.
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    facets = list(frame.groupby("panel", sort=False, observed=True))
    sizes = [size(rows) for _, rows in facets] or [(WIDTH, 1.0)]
    across = min(3, max(1, len(facets)))
    down = ceil(max(1, len(facets)) / across)
    handles = [
        Line2D([], [], label=name, **series_style(n, level=level))
        for n, (name, level) in enumerate(series_of(frame) if legend else [])
    ]
    width, height = (max(each) for each in zip(*sizes, strict=True))
    whole = (across * width, down * height + 0.24 * len(handles))
    with mpl.rc_context(_RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # a browser has fonts that Agg lacks
        figure = Figure(figsize=whole, dpi=_DPI, layout="constrained")
        places = figure.subplots(down, across, squeeze=False).ravel()
        for axes, (name, rows) in zip(places, facets, strict=False):
            axes.tick_params(colors=COLOURS["soft"], labelsize=10, length=0)
            panel(axes, rows)
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


def series_style(number: int, *, level: bool = False) -> dict[str, Any]:
    """Colour and dashes of a series.

    Args:
        number: Its place among the series.
        level: Whether it has no value of its own along the axis.
    """
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
    import matplotlib as mpl

    buffer = io.BytesIO()
    salt = hashlib.sha256(label.encode("utf-8", "replace")).hexdigest()[:8]
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")
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
