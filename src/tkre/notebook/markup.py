"""HTML that a notebook shows as such. Everything in it is escaped by whoever makes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape

from tkre.evaluation.presentation import TextTable


@dataclass(frozen=True)
class Html:
    """Markup; as plain text, how long it is."""

    markup: str

    def _repr_html_(self) -> str:
        return self.markup

    def __repr__(self) -> str:
        return f"<HTML, {len(self.markup)} characters>"


def tables(shown: Iterable[TextTable]) -> Html:
    """Tables one below the other, with their titles and how their figures are to be read."""
    return Html("".join(_table(table) for table in shown))


def _table(table: TextTable) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{"left" if n < table.labels else "right"}">{escape(cell)}</td>'
            for n, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows
    )
    title = f"<p><b>{escape(table.title)}</b><br><small>{escape(table.note)}</small></p>"
    return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
