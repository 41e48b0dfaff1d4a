"""File formats with one marked pair a row: CSV and TSV, OpenNRE and Wiki80, FewRel."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tkre.core.documents import DocumentError, parse_json, shown
from tkre.core.instance import HEAD, TAIL, Instance, Span
from tkre.core.text import find_phrase
from tkre.corpora.documents import Document, Tally
from tkre.corpora.formats import Row, fail, list_items, require_object
from tkre.corpora.records import RowError, labelled_record, string
from tkre.corpora.tables import header_of, held_by, lacking_column, table_records


def csv_rows(text: str, split: str) -> Iterator[Row]:
    """Rows of a table with a header.

    The sentence is tagged; or it is plain, with the mentions' texts in ``head`` and ``tail``, their
    first characters in ``head_start`` or ``head_offset``, or both. Other columns are not read. An
    id is that of the table, or the split and the line: ``train-2``.
    """
    try:
        names = header_of(io.StringIO(text, newline=""))
        if lacking := lacking_column(names, ("sentence", "relation")):
            raise RowError(lacking)
    except RowError as error:
        yield "line 1", partial(fail, str(error))
        return
    columns = held_by(names)
    for line, cells in table_records(text):
        if isinstance(cells, str):
            yield f"line {line}", partial(fail, cells)
        else:
            record = {held: cells[name] for held, name in columns.items() if name in cells}
            yield f"line {line}", partial(_parse_cells, record, f"{split}-{line}")


def _parse_cells(record: dict[str, str], row_id: str) -> Instance:
    row_id = record.get("id", "").strip() or row_id
    label = string(record, "relation").strip()
    return labelled_record({"id": row_id, "relation": label, **cells_record(record)})


def cells_record(record: Mapping[str, str]) -> dict[str, Any]:
    """Sentence, spans and types in the cells of a row, as ``corpora.records`` has them.

    Args:
        record: Cells by what their columns hold (``tables.COLUMNS``).

    Raises:
        RowError: The cells give no two mentions.
    """
    text = string(record, "sentence")
    types = {key: record.get(key, "").strip() or None for key in ("head_type", "tail_type")}
    if f"<{HEAD}>" in text and not record.get(HEAD) and not record.get(f"{HEAD}_start"):
        return {"sentence": text, **types}
    ends = {role: _cells_span(record, role, text) for role in (HEAD, TAIL)}
    return pair_record(text, ends[HEAD], ends[TAIL]) | types


End = tuple[Any, Any, str | None]  # start, end, and text of a mention


def _cells_span(record: Mapping[str, str], role: str, text: str) -> End:
    """Offsets of a mention in the cells of a row."""
    surface = record.get(role, "").strip()
    start, end = (record.get(f"{role}{key}", "").strip() for key in ("_start", "_end"))
    for cell in (start, end):
        if cell and not re.fullmatch(r"[0-9]{1,9}(\.0)?", cell):
            raise RowError(f"the offset of the {role} must be a whole number, not {shown(cell)}")
    if start:
        first = int(float(start))
        if not end and not surface:
            raise RowError(f"the {role} has a start, and neither an end nor a text")
        if end:
            return first, int(float(end)), surface or None
        return first, None, surface
    if not surface:
        raise RowError(f"there is neither a text nor an offset of the {role}")
    found = find_phrase(text, surface, name=True)
    found = [span for span in found if span.of(text) == surface] or found
    if not found and (first := text.find(surface)) >= 0:  # within a word
        found = [Span(first, first + len(surface))] * text.count(surface)
    if not found:
        raise RowError(f"the {role} {shown(surface)} does not stand in the sentence")
    if len(found) > 1:
        way = f"give its first character in a column {role}_start"
        raise RowError(f"the {role} {shown(surface)} stands in the sentence more than once: {way}")
    return found[0].start, found[0].end, None


def pair_row(
    row_id: str, text: str, head: End, tail: End, label: str, types: Mapping[str, str | None]
) -> Instance:
    """An instance from offsets in any unit (``pair_record``), with its label and types."""
    record = pair_record(text, head, tail)
    return labelled_record({"id": row_id, "relation": label, **record, **types})


def pair_record(text: str, head: End, tail: End) -> dict[str, Any]:
    """Text and spans of a pair, from offsets in any unit.

    Args:
        text: The sentence.
        head: Start, end and, if known, text of the head.
        tail: The same of the tail.

    Raises:
        RowError: Offsets do not fit the text.
    """
    document, tally = Document("", text), Tally()
    for role, (start, end, surface) in ((HEAD, head), (TAIL, tail)):
        document.mention(role, start, end, None, surface)
    found = document.mentions(tally)
    for _, reason, what in document.left_out:
        raise RowError(f"{what.removeprefix(': ')}: {reason}")
    for (_, reason), places in tally.left_out.items():
        raise RowError(f"{places[0].removeprefix(': ')}; {reason}")
    spans = [found[role][0].span for role in (HEAD, TAIL)]
    record = {key: [span.start, span.end] for key, span in zip((HEAD, TAIL), spans, strict=True)}
    return {"text": text, **record}


def opennre_rows(text: str, split: str) -> Iterator[Row]:
    """Rows of OpenNRE's JSON Lines, as of Wiki80 and NYT10, or a list of the same.

    Tokens with token offsets, or a text with offsets in characters; both are half-open. An id is
    the split and the row's number: ``train-1``.
    """
    for number, (place, record) in enumerate(list_items(text), start=1):
        yield place, partial(_parse_opennre, record, f"{split}-{number}")


def _parse_opennre(record: Any, row_id: str) -> Instance:
    record = require_object(record)
    label = string(record, "relation")
    ends = []
    for role in ("h", "t"):
        entity = require_object(record.get(role))
        ends.append((*two_of(entity.get("pos"), f"{role}.pos must be [start, end]"), entity))
    if "token" in record:
        return _tokens_row(row_id, record["token"], ends[0][:2], ends[1][:2], label)
    text = string(record, "text")
    head, tail = ((a, b, e["name"] if isinstance(e.get("name"), str) else None) for a, b, e in ends)
    return pair_row(row_id, text, head, tail, label, {})


def two_of(value: Any, wanted: str) -> tuple[Any, Any]:
    """The two items of a list.

    Args:
        value: The list.
        wanted: What it must be, for the message.

    Raises:
        RowError: It is no list of two.
    """
    if not isinstance(value, list) or len(value) != 2:
        raise RowError(f"{wanted}, not {shown(value)}")
    return value[0], value[1]


def token_text(tokens: Any) -> tuple[str, list[tuple[int, int]]]:
    """Text of tokens with a blank between them, and the characters of each token.

    Raises:
        RowError: They are no list of texts.
    """
    if not isinstance(tokens, list) or not all(isinstance(t, str) and t for t in tokens):
        raise RowError(f"a list of tokens is wanted, each a text, not {shown(tokens)}")
    places, at = [], 0
    for token in tokens:
        places.append((at, at + len(token)))
        at += len(token) + 1
    return " ".join(tokens), places


def _tokens_row(row_id: str, tokens: Any, head: Any, tail: Any, label: str) -> Instance:
    text, places = token_text(tokens)
    spans = {}
    for role, (first, last) in ((HEAD, head), (TAIL, tail)):
        if type(first) is not int or type(last) is not int:
            raise RowError(f"the tokens of the {role} must be whole numbers")
        if not 0 <= first < last <= len(places):
            raise RowError(
                f"the {role} tokens {first}-{last} (half-open) are not within the {len(places)}"
            )
        spans[role] = [places[first][0], places[last - 1][1]]
    return labelled_record({"id": row_id, "text": text, "relation": label, **spans})


def fewrel_rows(text: str, split: str) -> Iterator[Row]:
    """Rows of FewRel's JSON: lists of instances by relation.

    An id is the relation and the row's number: ``P931-1``.
    """
    try:
        by_relation = require_object(parse_json(text))
    except (DocumentError, RowError) as error:
        line = error.line if isinstance(error, DocumentError) else None
        yield f"line {line or 1}", partial(fail, str(error))
        return
    for label, rows in by_relation.items():
        for number, row in enumerate(rows if isinstance(rows, list) else [rows], start=1):
            yield f"{label}, row {number}", partial(_parse_fewrel, row, label, f"{label}-{number}")


def _parse_fewrel(row: Any, label: str, row_id: str) -> Instance:
    row = require_object(row)
    ends = []
    for role in ("h", "t"):
        entity = row.get(role)
        try:
            places = entity[2][0]  # of its first mention
            first, last = min(places), max(places)
        except (TypeError, LookupError, ValueError):
            places = [None]
        if not all(type(place) is int for place in places):
            wanted = '["name", "id", [[0, 1]]]'
            raise RowError(f"{role} must be like {wanted}, not {shown(entity)}")
        if last - first + 1 != len(places) or len({*places}) != len(places):
            raise RowError(f"the tokens of {role} are not next to each other: {shown(places)}")
        ends.append((first, last + 1))
    return _tokens_row(row_id, row.get("tokens"), ends[0], ends[1], label)
