"""Frames and records as tables of text, the one form in which a page shows figures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from tkre.evaluation.presentation import TextTable
from tkre.report.blocks import Table
from tkre.report.wording import sentence


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
