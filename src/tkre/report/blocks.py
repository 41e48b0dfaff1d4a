"""What a page consists of. Every kind of block has a template of its name in ``templates``.

Text is text: it is escaped where it is shown. Only ``Markup`` is not, which ``svg`` and
``mentions`` make of escaped text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from markupsafe import Markup

from tkre.evaluation.presentation import TextTable


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
