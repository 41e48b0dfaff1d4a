"""Files of sentences to label, read and written row by row with all their columns.

JSON Lines, CSV, TSV, Parquet, and plain text with a tagged sentence a line. A file of answers is
JSON Lines, CSV or Parquet. Any number of rows: few of them are in memory at a time.
"""

from __future__ import annotations

import csv
import json
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tkre.core.documents import DocumentError, parse_json, shown
from tkre.core.errors import UserError
from tkre.core.files import require_readable, text_lines
from tkre.core.instance import HEAD, TAIL
from tkre.corpora.formats import json_object
from tkre.corpora.pairs import cells_record
from tkre.corpora.records import KEYS, RowError
from tkre.corpora.tables import COLUMNS, header_of, held_by, named_twice, table_rows
from tkre.corpora.tool_files import where_to_label

Fields = dict[str, Any]
Row = tuple[str, Fields | RowError]  # its place (``line 12``) and its columns, or why it has none
BATCH = 2048
_LONG = "long"  # kind of whole numbers that no float holds
_NEAR = 0.85  # similarity from which a name is taken for a misspelt one


class TableError(UserError, ValueError):
    """A file that cannot be read or written as a table; the message names it."""


def read_rows(file: Path) -> Iterator[Row]:
    """Rows of a file, by its suffix.

    Raises:
        TableError: The suffix is unknown, or the file is not what it says.
    """
    return _kind(file, READERS, "read")(file)


def columns_of(file: Path) -> dict[str, str | pa.DataType]:
    """Columns of a file and their kinds: a kind of JSON (``_kind_of``), or a type of Parquet.

    Raises:
        TableError: See ``read_rows``; or a column has the name of another one, or a misspelt one.
    """
    if suffix_of(file) == ".jsonl":
        return widened(row for _, row in read_rows(file) if not isinstance(row, RowError))
    require_rows(file)
    if suffix_of(file) == ".parquet":
        with _parquet(file) as table:
            return dict(zip(table.schema_arrow.names, table.schema_arrow.types, strict=True))
    return dict.fromkeys(_header(file), "string")


def require_rows(file: Path) -> None:
    """Refuse a file that holds no rows of sentences, by what is read fast: no row is parsed.

    Raises:
        TableError: See ``columns_of``.
        EncodingError: A line is not UTF-8.
    """
    _kind(file, READERS, "read")
    if (suffix := suffix_of(file)) != ".parquet":
        deque(text_lines(file), maxlen=0)
    if suffix == ".jsonl":
        return
    names = _header(file)
    if problem := named_twice(names) or _misspelt(names):
        place = file if suffix == ".parquet" else f"{file}, line 1"
        raise TableError(f"{place}: {problem}")
    if "sentence" not in held_by(names):
        raise TableError(
            f"{file}: no column 'sentence' (tagged) or 'text' (with spans): "
            f"columns {', '.join(names)}"
        )


def record_of(fields: Mapping[str, Any]) -> Fields:
    """The record (``corpora.records``) in the columns of a row; other columns are left out.

    Raises:
        RowError: A column has a misspelt name, or the columns give no two mentions.
    """
    if problem := _misspelt(fields):
        raise RowError(problem)
    record = {key: fields[key] for key in KEYS if fields.get(key) is not None}
    if isinstance(record.get("implicit"), str):
        del record["implicit"]  # a label, which is not read
    for tag in (HEAD, TAIL):
        if isinstance(value := record.get(tag), str) and value.lstrip().startswith("["):
            with suppress(DocumentError):
                record[tag] = parse_json(value)
    # Columns of a table: names of other tools, mentions as texts, offsets in columns of their own.
    names = held_by(fields)
    held = {key: _cell(fields[name]) for key, name in names.items()}
    for key in ("head_type", "tail_type"):
        if key not in record and (kind := held.get(key, "").strip()):
            record[key] = kind
    tagged = f"<{HEAD}>" in held.get("sentence", "")
    spans = [held[key] for tag in (HEAD, TAIL) for key in (tag, f"{tag}_start") if held.get(key)]
    native = any(isinstance(record.get(tag), list) for tag in (HEAD, TAIL))
    if native or tagged:
        name, key = names.get("sentence"), "text" if native else "sentence"
        if name not in (None, "sentence") and key not in record:
            record[key] = record.pop(name, fields[name])
        return record
    if not spans or not held.get("sentence"):
        return record
    own = {key: record[key] for key in ("id",) if key in record}
    return own | cells_record(held)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)


def _misspelt(names: Iterable[str]) -> str | None:
    """Message on a column whose name is probably a misspelt key; None without one."""
    for name in {*names} - {*KEYS, *held_by(names).values()}:
        near = get_close_matches(str(name)[:80], [*KEYS, *COLUMNS], n=1, cutoff=_NEAR)
        if near and not str(name).startswith(f"{near[0]}_"):
            return f"unknown key {shown(name)} (did you mean {near[0]!r}?)"
    return None


def _kind(file: Path, known: Mapping[str, Any], what: str) -> Any:
    if (suffix := suffix_of(file)) not in known:
        other = where_to_label(file) if known is READERS else None
        raise TableError(other or f"{file}: files to be {what} end with {', '.join(known)}")
    return known[suffix]


def suffix_of(file: Path) -> str:
    """The suffix of a file in lower case: Windows and spreadsheets write ``.CSV``."""
    return file.suffix.lower()


def _text_rows(file: Path) -> Iterator[Row]:
    for number, line in enumerate(text_lines(file), start=1):
        if line.strip():
            yield f"line {number}", {"sentence": line.rstrip("\r\n")}


def _json_rows(file: Path) -> Iterator[Row]:
    for number, line in enumerate(text_lines(file), start=1):
        if line.strip():
            try:
                yield f"line {number}", json_object(line)
            except RowError as error:
                yield f"line {number}", error


def _header(file: Path) -> list[str]:
    if suffix_of(file) == ".parquet":
        with _parquet(file) as table:
            return list(table.schema_arrow.names)
    try:
        return ["sentence"] if suffix_of(file) == ".txt" else header_of(text_lines(file))
    except RowError as error:
        raise TableError(f"{file}, line 1: {error}") from None


def _csv_rows(file: Path) -> Iterator[Row]:
    for line, cells in table_rows(text_lines(file)):
        if isinstance(cells, dict):
            yield f"line {line}", {name: cell or None for name, cell in cells.items()}
        else:
            yield f"line {line}", RowError(cells)


def _parquet_rows(file: Path) -> Iterator[Row]:
    read = 0
    with _parquet(file) as table:
        try:
            for batch in table.iter_batches(BATCH):
                rows = batch.to_pylist()
                for number, row in enumerate(rows, start=read + 1):
                    yield f"row {number}", row
                read += len(rows)
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise TableError(f"{file} is damaged behind row {read}: {error}") from None


@contextmanager
def _parquet(file: Path) -> Iterator[Any]:
    require_readable(file)
    try:
        table = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise TableError(f"{file}: no Parquet file, or a torn one: {error}") from None
    with table:
        yield table


READERS: dict[str, Callable[[Path], Iterator[Row]]] = {
    ".jsonl": _json_rows, ".csv": _csv_rows, ".tsv": _csv_rows, ".txt": _text_rows,
    ".parquet": _parquet_rows,
}  # fmt: skip


def widened(rows: Iterable[Fields]) -> dict[str, Any]:
    """Columns of rows, each with the kind that holds all its values."""
    columns: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            columns[name] = _wider(columns.get(name, "null"), _kind_of(value))
    return {name: "int64" if kind == _LONG else kind for name, kind in columns.items()}


def _kind_of(value: Any) -> str:
    names = {type(None): "null", bool: "bool", int: "int64", float: "double", str: "string"}
    if isinstance(value, int) and abs(value) > 2**53:
        return _LONG if abs(value) < 2**63 else "json"
    return names.get(type(value), "json")


def _wider(one: Any, other: str) -> str:
    """The kind that holds both: numbers become floats, other mixtures JSON in a text."""
    kinds = {one, other} - {"null"}
    if len(kinds) < 2:
        return kinds.pop() if kinds else "null"
    if kinds == {"int64", _LONG}:
        return _LONG
    return "double" if kinds == {"int64", "double"} else "json"


Write = Callable[[Sequence[Fields]], object]


@contextmanager
def writer(file: Path, suffix: str, columns: Mapping[str, Any]) -> Iterator[Write]:
    """Open a file; returns the function that writes rows to it.

    Args:
        file: File.
        suffix: Its format, since an unfinished file may have another name.
        columns: All columns with their kinds (``columns_of``).
    """
    if suffix == ".parquet":
        types = {name: _arrow(kind) for name, kind in columns.items()}
        schema = pa.schema(list(types.items()))
        texts = [name for name, kind in columns.items() if kind in ("json", "null")]
        with pq.ParquetWriter(file, schema) as table:
            yield lambda rows: table.write_table(
                pa.Table.from_pylist(
                    [r | {n: _text(r.get(n)) for n in texts} for r in rows], schema
                )
            )
        return
    with file.open("w", encoding="utf-8", newline="") as lines:
        if suffix == ".jsonl":
            yield lambda rows: lines.writelines(_json(row) + "\n" for row in rows)
        else:
            table = csv.writer(lines, lineterminator="\n")
            table.writerow(columns)
            yield lambda rows: table.writerows(
                [_text(row.get(name)) for name in columns] for row in rows
            )


WRITTEN = (".jsonl", ".csv", ".parquet")


def require_writable(file: Path) -> None:
    """Refuse a suffix that no format has.

    Raises:
        TableError: See above.
    """
    _kind(file, dict.fromkeys(WRITTEN), "written")


def _arrow(kind: Any) -> Any:
    if not isinstance(kind, str):
        return kind
    return pa.type_for_alias("string" if kind in ("json", "null") else kind)


def _text(value: Any) -> Any:
    """A value as the cell of a table: what is no text is written as JSON."""
    if value is None or isinstance(value, str):
        return value
    text = _json(value)
    return None if text == "null" else text


def _json(value: Any) -> str:
    """A value as JSON, which has no NaN and no infinity: they are null."""
    dumps = partial(json.dumps, ensure_ascii=False, default=str, allow_nan=False)
    try:
        return dumps(value)
    except ValueError:
        return dumps(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):  # a map of Parquet is a list of tuples
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
