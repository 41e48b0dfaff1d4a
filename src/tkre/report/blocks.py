"""What a page consists of. Every kind of block has a template of its name in ``templates``.

Text is text: it is escaped where it is shown. Only ``Markup`` is not, which ``svg`` and
``mentions`` make of escaped text.

Frames and records as tables of text, the one form in which a page shows figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pandas as pd
from markupsafe import Markup

from tkre.report.formatting import sentence
from tkre.report.tables import TextTable


@dataclass(frozen=True)
class Prose:
    """Paragraphs."""

    kind: ClassVar[str] = "prose"
    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Terms and what is to be said of each: a text, or a list of them."""

    kind: ClassVar[str] = "facts"
    facts: Sequence[tuple[str, str | Sequence[str]]]
    code: bool = False


@dataclass(frozen=True)
class Tiles:
    """Few large figures: what each is, the figure, a remark."""

    kind: ClassVar[str] = "tiles"
    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Table:
    """A table with its caption."""

    kind: ClassVar[str] = "table"
    table: TextTable


@dataclass(frozen=True)
class Panel:
    """One drawing of a chart."""

    title: str
    drawing: Markup


@dataclass(frozen=True)
class Chart:
    """Drawings side by side as the width allows, with the table of what they show.

    Attributes:
        title: What is drawn.
        note: How it is to be read.
        panels: The drawings.
        table: The figures behind them.
        legend: Names of the series, each with its swatch.
        wide: Whether a drawing keeps its size and is scrolled where the screen is narrow.
    """

    kind: ClassVar[str] = "chart"
    title: str
    note: str
    panels: Sequence[Panel]
    table: TextTable
    legend: Sequence[tuple[str, Markup]] = ()
    wide: bool = False


@dataclass(frozen=True)
class Quote:
    """A sentence with its mentions marked, and what is to be said of it.

    Attributes:
        text: The sentence.
        labels: Short words beside it: what each is, and the word.
        body: Text below it.
    """

    text: Markup
    labels: Sequence[tuple[str, str]] = ()
    body: str = ""


@dataclass(frozen=True)
class Quotes:
    """Sentences; without a title where a fold around them has it."""

    kind: ClassVar[str] = "quotes"
    title: str
    note: str
    quotes: Sequence[Quote]


@dataclass(frozen=True)
class Folded:
    """Blocks behind a line that opens them."""

    kind: ClassVar[str] = "folded"
    title: str
    blocks: Sequence[Block]
    open: bool = False


@dataclass(frozen=True)
class Part:
    """Blocks under a heading of their own."""

    kind: ClassVar[str] = "part"
    title: str
    blocks: Sequence[Block]


Block = Prose | Facts | Tiles | Table | Chart | Quotes | Folded | Part


@dataclass(frozen=True)
class Section:
    """A section of a page: the name that links use, its heading, and its blocks."""

    name: str
    title: str
    blocks: Sequence[Block]


def table_of(
    rows: pd.DataFrame | Iterable[Mapping[Any, Any]],
    title: str,
    note: str,
    labels: Mapping[str, str],
    figures: Mapping[str, str],
    decimals: int = 1,
) -> TextTable:
    """A table of text.

    Args:
        rows: A frame, or records.
        title: Of the table.
        note: How its figures are to be read.
        labels: Headings of the columns of words, by column; those that are missing are left out.
        figures: Headings of the columns of figures, likewise.
        decimals: Of figures that are no counts.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    named = {column: heading for column, heading in labels.items() if column in frame}
    counted = {column: heading for column, heading in figures.items() if column in frame}
    return TextTable(
        title=title,
        note=note,
        columns=[*named.values(), *counted.values()],
        labels=len(named),
        rows=[
            [
                *(words(row[column]) for column in named),
                *(figure(row[column], decimals) for column in counted),
            ]
            for row in frame.to_dict("records")
        ],
    )


def titled(table: TextTable) -> Table:
    """A table of another room, its title with a capital."""
    return Table(replace(table, title=sentence(table.title)))


def words(value: Any) -> str:
    """A value as a label: nothing for what is missing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if missing(value) else str(value)


def figure(value: Any, decimals: int = 1) -> str:
    """A number as text: whole ones without decimals, nothing for what is missing."""
    if missing(value):
        return ""
    if isinstance(value, str):
        return value
    return (
        f"{value:,}"
        if float(value).is_integer() and not isinstance(value, float)
        else (f"{value:,.{decimals}f}")
    )


def missing(value: Any) -> bool:
    """Whether a cell of a table holds nothing."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def varying(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Those of the columns that a frame has and that hold more than one value."""
    return [column for column in columns if column in frame and frame[column].nunique() > 1]
