"""Stacked bars, a row for each relation: what became of the sentences that were asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tkre.report.svg import WIDTH, Scale, drawing, element, shortened, text, ticks, x_axis

_ROW, _TOP, _BOTTOM = 34.0, 6.0, 42.0
_LETTERS = 46


@dataclass(frozen=True)
class BarRow:
    """A bar of parts; parts are in the order of the kinds."""

    label: str
    parts: Sequence[float]


def bar_panel(
    rows: Sequence[BarRow], kinds: Sequence[tuple[str, str]], title: str, axis: str
) -> Markup:
    """Stacked bars over one axis.

    Args:
        rows: From top to bottom.
        kinds: Of the parts: name and class.
        title: For screen readers.
        axis: What is counted.
    """
    marks = ticks(0, max((sum(row.parts) for row in rows), default=1))
    scale = Scale(0, marks[-1], 4, WIDTH - 16)
    bottom = _TOP + _ROW * len(rows)
    parts = [x_axis(scale, marks, _TOP, bottom, axis)]
    parts += [_row(row, kinds, _TOP + n * _ROW, scale) for n, row in enumerate(rows)]
    said = "; ".join(f"{row.label}: {_said(row, kinds)}" for row in rows)
    return drawing(title, said, bottom + _BOTTOM, *parts)


def bar_legend(kinds: Sequence[tuple[str, str]]) -> list[tuple[str, Markup]]:
    """The names of the parts with their swatches."""
    return [
        (
            name,
            element(
                "svg", element("rect", x=2, y=1, width=20, height=10, class_=f"bar {class_}"),
                viewBox="0 0 24 12", class_="swatch", aria_hidden="true",
            ),
        )
        for name, class_ in kinds
    ]  # fmt: skip


def _row(row: BarRow, kinds: Sequence[tuple[str, str]], top: float, scale: Scale) -> Markup:
    parts = [text(4, top + 12, shortened(row.label, _LETTERS), "name")]
    before = 0.0
    for amount, (name, class_) in zip(row.parts, kinds, strict=True):
        if amount:
            x = scale(before)
            tip = element("title", f"{row.label}: {amount:g} {name}")
            parts.append(
                element("rect", tip, x=x, y=top + 17, width=scale(before + amount) - x, height=11.0,
                        class_=f"bar {class_}")
            )  # fmt: skip
        before += amount
    return Markup("").join(parts)


def _said(row: BarRow, kinds: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{n:g} {name}" for n, (name, _) in zip(row.parts, kinds, strict=True) if n)
