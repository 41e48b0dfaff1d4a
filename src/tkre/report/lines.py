"""Lines over two axes: scores along an axis of the grid, losses, reliability, risk and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tkre.report.svg import (
    WIDTH,
    Scale,
    dashes,
    dot,
    drawing,
    line,
    path,
    series_class,
    swatch,
    ticks,
    x_axis,
    y_axis,
)

HEIGHT = 260.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40.0, 10.0, 12.0, 46.0
LEVEL = "1.5 2.5"  # how a line is dashed that has no value of its own along the axis
_MOST_MARKS = 30  # of points that are marked one by one


@dataclass(frozen=True)
class Series:
    """A line.

    Attributes:
        name: Of what it shows.
        x: Places of its points.
        y: Their values.
        std: Half the length of their whiskers; empty for none.
        sizes: Radius of their marks; empty for small ones.
        level: Whether it is drawn as a level that others are compared with.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    std: Sequence[float] = ()
    sizes: Sequence[float] = ()
    level: bool = False


@dataclass(frozen=True)
class Axis:
    """An axis.

    Attributes:
        title: What it shows.
        values: Those that are written at it, where they are few.
        range: Its ends, where they are given.
        whole: Whether its values are whole numbers.
    """

    title: str
    values: Sequence[float] | None = None
    range: tuple[float, float] | None = None
    whole: bool = False

    def marks(self, shown: Sequence[float]) -> list[float]:
        """The values that are written at it."""
        low, high = self.range or (min(shown, default=0.0), max(shown, default=1.0))
        return ticks(low, high, whole=self.whole)


def line_panel(
    series: Sequence[Series], title: str, x: Axis, y: Axis, *, diagonal: bool = False
) -> Markup:
    """Lines over two axes.

    Args:
        series: Their order is that of their colours.
        title: For screen readers.
        x: Axis across.
        y: Axis up; its title is that of the panel.
        diagonal: Whether a line where both are equal is drawn.
    """
    xs = [value for s in series for value in s.x]
    ys = [v + d for s in series for v, e in zip(s.y, s.std or [0] * len(s.y), strict=True)
          for d in (-e, e)]  # fmt: skip
    x_marks, y_marks = x.marks(xs), y.marks(ys)
    across = Scale(x_marks[0], x_marks[-1], _LEFT, WIDTH - _RIGHT)
    bottom = HEIGHT - _BOTTOM
    up = Scale(y_marks[0], y_marks[-1], bottom, _TOP)
    parts = [
        y_axis(up, y_marks, _LEFT, WIDTH - _RIGHT),
        x_axis(across, x.values or x_marks, _TOP, bottom, x.title),
    ]
    if diagonal:
        parts.append(line(across(0), up(0), across(100), up(100), "reference"))
    parts += [_series(s, n, across, up) for n, s in enumerate(series)]
    said = f"{y.title} against {x.title}: {', '.join(s.name for s in series)}"
    return drawing(title, said, HEIGHT, *parts)


def legend(series: Sequence[Series]) -> list[tuple[str, Markup]]:
    """The names of lines with their swatches."""
    return [(s.name, swatch(n, dashed=LEVEL if s.level else None)) for n, s in enumerate(series)]


def _series(series: Series, number: int, across: Scale, up: Scale) -> Markup:
    colour = series_class(number)
    points = [(across(x), up(y)) for x, y in zip(series.x, series.y, strict=True)]
    if not points:
        return Markup("")
    parts = [path(points, f"line {colour}", LEVEL if series.level else dashes(number))]
    for (x, _), value, spread in zip(points, series.y, series.std, strict=False):
        if spread:
            parts.append(line(x, up(value - spread), x, up(value + spread), f"whisker {colour}"))
    if series.sizes or (len(points) <= _MOST_MARKS and not series.level):
        sizes = series.sizes or [3.0] * len(points)
        parts += [
            dot(x, y, size, f"dot {colour}", f"{series.name}: {at:g}, {value:.2f}")
            for (x, y), size, at, value in zip(points, sizes, series.x, series.y, strict=True)
        ]
    return Markup("").join(parts)
