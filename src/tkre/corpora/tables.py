"""Tables as spreadsheets save them: cells by column, cells that are no formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from tkre.core.documents import repeated, shown
from tkre.core.instance import HEAD, TAIL
from tkre.core.params import did_you_mean
from tkre.corpora.records import RowError

# Names of columns by what they hold; those of DeepKE, OpenNRE's converters and spreadsheets.
COLUMNS = {
    "id": ("id",),
    "sentence": ("sentence", "text", "context"),
    "relation": ("relation", "label", "rel"),
    **{
        role + end: tuple(f"{name}{ending}" for name in names for ending in endings)
        for role, names in (
            (HEAD, (HEAD, "subject", "subj", "e1", "entity1", "h")),
            (TAIL, (TAIL, "object", "obj", "e2", "entity2", "t")),
        )
        for end, endings in (
            ("", ("", "_text", "_mention")),
            ("_start", ("_start", "_offset", "_start_offset", "_begin")),
            ("_end", ("_end", "_end_offset")),
            ("_type", ("_type", "_label")),
        )
    },
}
_KNOWN = {name: column for column, names in COLUMNS.items() for name in names}
# Columns of the tables that the project writes itself (``inert``), in their order.
EXPORTED = (
    "id", "text", "relation",
    *(f"{role}{key}" for role in (HEAD, TAIL) for key in ("", "_start", "_end", "_type")),
)  # fmt: skip
REVIEWED = (
    "relation", "llm_relation", "llm_confidence", "classifier_relation", "classifier_confidence",
    "sentence", "head_type", "tail_type", "id",
)  # fmt: skip
# A cell that a spreadsheet would run as a formula is written with an apostrophe before it.
_FORMULA, _TEXT = "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20", "'"
_QUOTED = ": a text with a comma or a quote stands in quotes"


def inert(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula.

    ``table_records`` reads it as it was, in a table that begins with the columns ``EXPORTED`` or
    ``REVIEWED``. Of other tables an apostrophe is part of the text.
    """
    return f"{_TEXT}{cell}" if cell[:1] and cell[0] in _FORMULA + _TEXT else cell


def _as_meant(cell: str) -> str:
    """A cell before ``inert``."""
    marked = cell.startswith(_TEXT) and len(cell) > 1 and cell[1] in _FORMULA + _TEXT
    return cell[1:] if marked else cell


def table_records(
    text: str, needed: Iterable[str] = ()
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """Rows of a CSV file with a comma, semicolon or tab between cells, as spreadsheets save it.

    Args:
        text: Content of the file.
        needed: Columns that it must have.

    Yields:
        The line of a row, and its cells by column or the reason why it is none.
    """
    yield from table_rows(io.StringIO(text, newline=""), needed)


def table_rows(
    lines: Iterable[str], needed: Iterable[str] = ()
) -> Iterator[tuple[int, dict[str, str] | str]]:
    """``table_records`` of lines, which need not be in memory together."""
    reader = _reader(lines)
    header: list[str] | None = None
    ours = False
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:  # of this row; the next one may be good
            yield line, _not_csv(error)
            if header is None:
                return
            continue
        if header is None:
            if _is_sign(cells):
                continue
            header = _names(cells)
            ours = any(tuple(header[: len(own)]) == own for own in (EXPORTED, REVIEWED))
            if twice := named_twice(header):
                yield line, twice
                return
            if missing := [name for name in needed if name not in header]:
                yield line, f"there is no column {missing[0]!r}{did_you_mean(missing[0], header)}"
                return
        elif not any(map(str.strip, cells)):
            continue
        elif len(cells) >= len(header) and not any(cells[len(header) :]):
            yield line, dict(zip(header, map(_as_meant, cells) if ours else cells, strict=False))
        else:
            yield line, f"{len(cells)} cells, the header has {len(header)}{_QUOTED}"


def header_of(lines: Iterable[str]) -> list[str]:
    """Names of the columns of a table, as ``table_rows`` has them.

    Args:
        lines: Lines of the table; only those of the header are read.

    Raises:
        RowError: The header is not CSV.
    """
    try:
        reader = _reader(lines)
        cells: list[str] = next(reader, [])
        return _names(next(reader, []) if _is_sign(cells) else cells)
    except csv.Error as error:
        raise RowError(_not_csv(error)) from None


def _reader(lines: Iterable[str]) -> Any:
    # A line may end with "\r" alone, as in the CSV of Excel for Macintosh.
    parts = (part for line in lines for part in io.StringIO(line, newline=""))
    first = next(parts, "")
    return csv.reader(chain([first], parts), delimiter=_delimiter(first), strict=True)


def _not_csv(error: csv.Error) -> str:
    return f"not CSV ({error}){_QUOTED}"


def named_twice(names: Sequence[str]) -> str | None:
    """Message on a name of two columns, of which only one could be read; None without one."""
    twice = repeated(names)
    return None if twice is None else f"column {twice!r} stands twice: rename one of them"


_SIGN = "sep="  # first line of a table that names its sign, as spreadsheets read and write it


def _delimiter(first: str) -> str:
    named = first.strip('\r\n"').removeprefix(_SIGN)
    return named if _SIGN in first and named in (",", ";", "\t") else max(",;\t", key=first.count)


def _is_sign(cells: Sequence[str]) -> bool:
    return bool(cells) and cells[0] in (_SIGN, *(_SIGN + sign for sign in ",;\t"))


def _names(cells: Iterable[str]) -> list[str]:
    """Names of columns, without the empty cells that spreadsheets write behind them."""
    names = [name.strip() for name in cells]
    while names and not names[-1]:
        names.pop()
    return names


def table_columns(text: str) -> dict[str, str]:
    """Columns of a table by what they hold, as of ``COLUMNS``; others are not read.

    Raises:
        RowError: See ``header_of``.
    """
    return held_by(header_of(io.StringIO(text, newline="")))


def lacking_column(names: Sequence[str], needed: Iterable[str]) -> str | None:
    """Message on the first of ``needed`` (as of ``COLUMNS``) that a header lacks; None without."""
    lacking = next((held for held in needed if held not in held_by(names)), None)
    return lacking and (
        f"there is no column {' or '.join(COLUMNS[lacking])} in the header "
        f"{shown(', '.join(names))}: rename the column that holds it"
    )


def held_by(names: Iterable[str]) -> dict[str, str]:
    """Names of columns by what they hold, the first of several."""
    found: dict[str, str] = {}
    for name in names:
        held = _KNOWN.get(re.sub(r"[\s.-]+", "_", name.strip().lower()))
        if held:
            found.setdefault(held, name.strip())
    return found
