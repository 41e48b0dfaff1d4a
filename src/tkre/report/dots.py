"""Dots with whiskers, a row for each setting: scores over seeds, differences with their interval.

The name of a row stands above it, so that long names fit on a phone and any number of rows does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tkre.report.svg import (
    WIDTH,
    Scale,
    dot,
    drawing,
    line,
    series_class,
    shortened,
    text,
    ticks,
    x_axis,
)

_ROW, _TOP, _BOTTOM = 36.0, 6.0, 42.0
_LETTERS = 52  # of a name, in one row


@dataclass(frozen=True)
class DotRow:
    """One row.

    Attributes:
        label: Its name.
        value: The large dot; None leaves the row empty.
        low: Where the whisker begins.
        high: Where it ends.
        each: Small dots: the value, and what it is of.
        series: Number of its colour.
    """

    label: str
    value: float | None
    low: float | None = None
    high: float | None = None
    each: Sequence[tuple[float, str]] = ()
    series: int = 0


def dot_panel(
    rows: Sequence[DotRow], title: str, axis: str, *, reference: float | None = None
) -> Markup:
    """Rows of dots over one axis.

    Args:
        rows: From top to bottom.
        title: For screen readers.
        axis: What the values are, with their unit.
        reference: A value that is marked all the way down, e.g. that of the baseline.
    """
    values = [v for r in rows for v in (r.value, r.low, r.high, *(e for e, _ in r.each))]
    shown = [v for v in (*values, reference) if v is not None]
    marks = ticks(min(shown, default=0.0), max(shown, default=1.0))
    scale = Scale(marks[0], marks[-1], 16, WIDTH - 16)
    bottom = _TOP + _ROW * len(rows)
    parts = [x_axis(scale, marks, _TOP, bottom, axis)]
    if reference is not None:
        parts.append(line(scale(reference), _TOP, scale(reference), bottom, "reference"))
    parts += [_row(row, _TOP + n * _ROW, scale) for n, row in enumerate(rows)]
    said = "; ".join(f"{r.label}: {'none' if r.value is None else f'{r.value:.1f}'}" for r in rows)
    return drawing(title, said, bottom + _BOTTOM, *parts)


def _row(row: DotRow, top: float, scale: Scale) -> Markup:
    y, colour = top + 24, series_class(row.series)
    parts = [text(4, top + 12, shortened(row.label, _LETTERS), "name")]
    if row.value is not None:
        tip = f"{row.label}: {row.value:.1f}"
        if row.low is not None and row.high is not None:
            parts.append(line(scale(row.low), y, scale(row.high), y, f"whisker {colour}"))
            tip += f" ({row.low:.1f} to {row.high:.1f})"
        parts += [dot(scale(value), y, 3.5, f"each {colour}", said) for value, said in row.each]
        parts.append(dot(scale(row.value), y, 5.5, f"dot {colour}", tip))
        parts.append(text(WIDTH - 4, top + 12, f"{row.value:.1f}", "figure", "end"))
    return Markup("").join(parts)
