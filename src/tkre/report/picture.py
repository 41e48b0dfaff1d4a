"""A drawing of the report as a file of its own, for docs that show no HTML of ours."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from tkre.report.page import style_sheet
from tkre.report.svg import WIDTH, element, text

_SCALE = 1.5  # how large it is where nothing says otherwise
_TITLE, _ENTRY, _MARGIN = 24.0, 18.0, 8.0
_SWATCH = (24.0, 12.0)


def picture(
    title: str, panel: Markup, height: float, legend: Sequence[tuple[str, Markup]]
) -> Markup:
    """An SVG file: a title, a drawing, and its legend below.

    It brings the colours of the page, those of the dark included, and its own background: a reader
    of docs may prefer the dark where the docs do not.

    Args:
        title: What the values are.
        panel: A drawing, ``svg.WIDTH`` wide.
        height: Of the drawing.
        legend: Names with their swatches.
    """
    below = _TITLE + height
    whole = below + _ENTRY * len(legend) + _MARGIN
    entries = [_entry(below + n * _ENTRY, *entry) for n, entry in enumerate(legend)]
    return element(
        "svg",
        element("style", style_sheet("drawing.css")),
        element("rect", width=WIDTH, height=whole, class_="page"),
        text(_MARGIN, 16, title, "name"),
        element("svg", panel, y=_TITLE, width=WIDTH, height=height),
        *entries,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {WIDTH} {whole:g}",
        width=f"{WIDTH * _SCALE:g}",
        height=f"{whole * _SCALE:g}",
    )


def _entry(top: float, name: str, swatch: Markup) -> Markup:
    width, height = _SWATCH
    mark = element("svg", swatch, x=_MARGIN, y=top, width=width, height=height)
    return mark + text(2 * _MARGIN + width, top + height - 2, name)
