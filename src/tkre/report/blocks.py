"""Blocks of a page. Each kind has a macro of its name in ``templates/blocks.html.j2``.

All text is escaped where it is shown, except ``Markup``, which ``drawing.svg`` and
``formatting.highlighted`` make of escaped text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from markupsafe import Markup

from tkre.report.content import ReportContent
from tkre.report.drawing import draw, series_of, svg, swatch
from tkre.report.figures import FIGURES, FigureKind, drawable
from tkre.report.formatting import sentence
from tkre.report.tables import TextTable, table_of
from tkre.training.recipes import axes_of


class Block:
    """Part of a section."""

    @property
    def kind(self) -> str:
        """Name of its macro."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Prose(Block):
    """Paragraphs."""

    paragraphs: Sequence[str]


@dataclass(frozen=True)
class Facts(Block):
    """Terms, each with a text or a list of texts; ``code`` sets the texts as code."""

    facts: Sequence[tuple[str, str | Sequence[str]]]
    code: bool = False


@dataclass(frozen=True)
class Tiles(Block):
    """Few large numbers: name, number, remark."""

    tiles: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Table(Block):
    """A table with its caption."""

    table: TextTable

    @classmethod
    def titled(cls, table: TextTable) -> Table:
        """A table of another room, its title with a capital."""
        return cls(replace(table, title=sentence(table.title)))


@dataclass(frozen=True)
class Chart(Block):
    """Panels of a figure side by side as the width allows, with the table behind them.

    Attributes:
        title: Title of the figure.
        note: How it is read.
        panels: Title and SVG of each panel.
        table: Numbers that are drawn.
        legend: Names of the series, each with its swatch.
        wide: Whether a panel keeps its size and is scrolled on a narrow screen.
    """

    title: str
    note: str
    panels: Sequence[tuple[str, Markup]]
    table: TextTable
    legend: Sequence[tuple[str, Markup]] = ()
    wide: bool = False


@dataclass(frozen=True)
class Quote:
    """A sentence with its mentions marked.

    Attributes:
        text: The sentence.
        labels: Names and values beside it.
        body: Text below it.
    """

    text: Markup
    labels: Sequence[tuple[str, str]] = ()
    body: str = ""


@dataclass(frozen=True)
class Quotes(Block):
    """Sentences; without a title where a fold around them has one."""

    title: str
    note: str
    quotes: Sequence[Quote]


@dataclass(frozen=True)
class Folded(Block):
    """Blocks behind a line that opens them."""

    title: str
    blocks: Sequence[Block]
    open: bool = False


@dataclass(frozen=True)
class Part(Block):
    """Blocks under a heading."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Section:
    """A section of a page: its name in links, its heading, its blocks."""

    name: str
    title: str
    blocks: Sequence[Block]


def charts(content: ReportContent, section: str) -> Iterator[Chart]:
    """Figures of a section for which the experiment has data, in the order of the registry."""
    for name in drawable(axes_of(content.spec, content.variants)):
        kind = FIGURES[name]
        source = content.source(kind.reads) if kind.section == section else None
        if source is not None and len(rows := kind.rows(source, content.baseline)):
            yield _chart(content, kind, rows)


def _chart(content: ReportContent, kind: FigureKind, rows: pd.DataFrame) -> Chart:
    title = kind.titled(rows)
    note = kind.note(rows, several_seeds=content.several_seeds)
    panels = [
        (str(name), svg(draw(of_panel, kind.panel, legend=False), f"{title}: {name}"))
        for name, of_panel in rows.groupby("panel", sort=False, observed=True)
    ]
    legend = [(name, swatch(n, level=level)) for n, (name, level) in enumerate(series_of(rows))]
    where = {"panel": "panel"} if len(panels) > 1 else {}
    table = table_of(kind.behind(rows), title, "", where | dict(kind.labels), kind.figures)
    return Chart(title, note, panels, table, legend, kind.panel.scrolled)
