"""Drawing by hand: elements with everything escaped, scales, axes.

A drawing has no colour of its own: classes name the series, and the page's style sheet gives them
colours, in the dark and on paper too. It is ``WIDTH`` units wide, about as many as a phone, so
that its letters are as large as those around it; a wide screen has several side by side.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH = 360
SERIES = 7  # colours; then they come again, dashed otherwise
_DASHES = ("none", "5 3", "1.5 2.5")


@dataclass(frozen=True)
class Scale:
    """Values to places along a line; ``low`` is at ``start``, ``high`` at ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """The place of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)


def element(tag: str, *content: str, **attributes: object) -> Markup:
    """An SVG element; text among the content is escaped, and so are attributes.

    Args:
        tag: Its name.
        content: What is inside: text, or elements.
        attributes: ``stroke_width`` is written ``stroke-width``, ``class_`` ``class``; None is left
            out, floats have two decimals.
    """
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _plain(value))
        for name, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(part) for part in content)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), written, inside)


def drawing(
    title: str, description: str, height: float, *content: str, width: float = WIDTH
) -> Markup:
    """A drawing as one image, with what a screen reader says of it."""
    return element(
        "svg",
        *content,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=f"{title}. {description}",
        style=f"--w:{width:g}px",
    )


def text(x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> Markup:
    """Words at a place."""
    return element("text", words, x=x, y=y, class_=class_ or None, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A straight line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def dot(x: float, y: float, radius: float, class_: str, tip: str) -> Markup:
    """A circle that says its figures where a pointer rests on it."""
    return element("circle", element("title", tip), cx=x, cy=y, r=radius, class_=class_)


def path(points: Iterable[tuple[float, float]], class_: str, dashes: str) -> Markup:
    """A line through points."""
    d = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
    return element("path", d=f"M{d}", class_=class_, stroke_dasharray=dashes)


def series_class(number: int) -> str:
    """The class that colours a series."""
    return f"s{number % SERIES}"


def dashes(number: int) -> str:
    """How the line of a series is dashed."""
    return _DASHES[(number // SERIES) % len(_DASHES)]


def swatch(number: int, *, dashed: str | None = None) -> Markup:
    """What a legend shows of a series."""
    colour = series_class(number)
    stroke = path([(1, 6), (23, 6)], f"line {colour}", dashed or dashes(number))
    mark = element("circle", cx=12, cy=6, r=3.5, class_=f"dot {colour}")
    return element("svg", stroke, mark, viewBox="0 0 24 12", class_="swatch", aria_hidden="true")


def ticks(low: float, high: float, wanted: int = 5, *, whole: bool = False) -> list[float]:
    """Round values that span a range, the first at or below it, the last at or above.

    Args:
        low: Where it begins.
        high: Where it ends.
        wanted: About how many steps.
        whole: Whether nothing between whole numbers is of use.
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return [0.0, 1.0]
    if high <= low:
        low, high = low - 1, high + 1
    rough = (high - low) / wanted
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(s * magnitude for s in (1, 2, 2.5, 5, 10) if s * magnitude >= rough)
    step = math.ceil(step) if whole else step
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


def x_axis(scale: Scale, values: Sequence[float], top: float, bottom: float, title: str) -> Markup:
    """Lines up from an axis at the bottom, its figures, and what they are."""
    parts = []
    for value in values:
        x = scale(value)
        parts.append(line(x, top, x, bottom, "grid"))
        parts.append(text(x, bottom + 14, f"{value:g}", "tick", "middle"))
    parts.append(text((scale.start + scale.end) / 2, bottom + 31, title, "axis", "middle"))
    return Markup("").join(parts)


def y_axis(scale: Scale, values: Sequence[float], left: float, right: float) -> Markup:
    """Lines across from an axis at the left, with its figures."""
    parts = []
    for value in values:
        y = scale(value)
        parts.append(line(left, y, right, y, "grid"))
        parts.append(text(left - 5, y + 4, f"{value:g}", "tick", "end"))
    return Markup("").join(parts)


def shortened(words: str, letters: int) -> str:
    """A name cut in its middle to so many letters: its ends tell names apart."""
    if len(words) <= letters:
        return words
    kept = letters - 1
    return f"{words[: kept - kept // 2]}…{words[len(words) - kept // 2 :]}"


def _plain(value: object) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
