"""File formats of corpora: native, SciBERT, SemEval-2010 Task 8, TACRED.

A format is a function ``rows(text, split)``. It yields, for every row of a split's file, the row's
place (``line 12``) and a function that parses the row, so that a bad row is reported by its place
and the rest of the file is still read. A new format is one function and one line
of ``corpora.params.FORMATS``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tkre.core.documents import DocumentError, json_items, parse_json, shown
from tkre.core.instance import HEAD, TAIL, Instance, Span
from tkre.corpora.records import RowError, labelled_record, string, tagged

Row = tuple[str, Callable[[], Instance]]
Format = Callable[[str, str], Iterator[Row]]


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    """Non-blank lines with their numbers, counted from 1, without byte-order marks and ends."""
    # Not splitlines(): it also breaks at characters that JSON allows inside a string.
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        # One stands before every file that is joined with others, too.
        if (content := line.rstrip("\r\n").removeprefix("\ufeff")).strip():
            yield number, content


def json_object(line: str) -> dict[str, Any]:
    """Parse one line of JSON Lines.

    Raises:
        RowError: The line is not JSON (``core.documents.parse_json``), or not an object.
    """
    try:
        return require_object(parse_json(line))
    except DocumentError as error:
        raise RowError(str(error)) from None


def require_object(record: Any) -> dict[str, Any]:
    """A record as a JSON object; one that could not be read is its error."""
    if isinstance(record, RowError):
        raise record
    if not isinstance(record, dict):
        raise RowError(f"a JSON object was expected, not {type(record).__name__}")
    return record


def fail(reason: str) -> Instance:
    """The parser of a row that cannot be read.

    Raises:
        RowError: Always, with the reason.
    """
    raise RowError(reason)


def list_items(text: str) -> Iterator[tuple[str, Any]]:
    """Items of a JSON list, or of JSON Lines, with their places; a bad one is a ``RowError``."""
    if not text.lstrip("\ufeff \t\r\n").startswith("["):
        for number, line in numbered_lines(text):
            try:
                yield f"line {number}", json_object(line)
            except RowError as error:
                yield f"line {number}", error
        return
    try:
        for number, item in enumerate(json_items(text), start=1):
            refused = isinstance(item, DocumentError)
            yield f"record {number}", RowError(str(item)) if refused else item
    except DocumentError as error:
        yield f"line {error.line or 1}", RowError(str(error))


def native_rows(text: str, split: str) -> Iterator[Row]:
    """Rows of the project's own format, JSON Lines (``records.labelled_record``)."""
    for number, line in numbered_lines(text):
        yield f"line {number}", partial(_parse_native, line)


def _parse_native(line: str) -> Instance:
    return labelled_record(json_object(line))


# SciBERT: {"text": "... [[ head ]] ... << tail >> ...", "label": "USED-FOR"}. Abstracts also use
# "<<" and ">>" as "much less" and "much greater than": marks are a closing one and the nearest
# opening one before it. Some files have no blanks inside the marks.
_MARKS = {HEAD: ("[[", "]]"), TAIL: ("<<", ">>")}


def scibert_rows(text: str, split: str) -> Iterator[Row]:
    """Rows of ChemProt and SciERC as the SciBERT authors published them; no entity types.

    An id is the split and the line number counted from 0: ``train-0``.
    """
    for number, line in numbered_lines(text):
        yield f"line {number}", partial(_parse_scibert, line, f"{split}-{number - 1}")


def _parse_scibert(line: str, row_id: str) -> Instance:
    record = json_object(line)
    sentence = string(record, "text")
    for tag, (opening, closing) in _MARKS.items():
        spaced = _marked(sentence, f"{opening} ", f" {closing}")
        marks, blank = (spaced, 1) if spaced else (_marked(sentence, opening, closing), 0)
        if len(marks) != 1:
            mark = f"{opening} {tag} {closing}"
            raise RowError(f"{mark} stands {len(marks)} times, not once, in {shown(sentence, 200)}")
        [span] = marks
        mention = sentence[span.start + len(opening) + blank : span.end - len(closing) - blank]
        sentence = f"{sentence[: span.start]}<{tag}>{mention}</{tag}>{sentence[span.end :]}"
    plain, head, tail = tagged(sentence)
    return Instance(id=row_id, text=plain, head=head, tail=tail, relation=string(record, "label"))


def _marked(text: str, opening: str, closing: str) -> list[Span]:
    """Pairs of marks with what stands between; by ``find``, whose time is linear."""
    found, at = [], 0
    while (end := text.find(closing, at)) >= 0:
        # A mention is not empty: one character at least stands between the marks.
        start = text.rfind(opening, at, max(at, end - 1))
        at = end + len(closing)
        if start >= 0:
            found.append(Span(start, at))
    return found


# SemEval: number and quoted sentence with <e1> (head) and <e2> (tail); label; comment; empty line.
_START = re.compile(r"(\d+)\t(.*)")


def semeval_rows(text: str, split: str) -> Iterator[Row]:
    """Rows of SemEval-2010 Task 8; a line that belongs to no row is a bad row.

    The direction stays in the label; there are no entity types. An id is the split and the file's
    number: ``train-1``, ``test-8001``.
    """
    lines = [line.rstrip("\r\n") for line in io.StringIO(text, newline="")]
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.strip() or line.startswith("Comment"):
            continue
        place, start = f"line {number}", _START.fullmatch(line)
        if start is None:
            reason = "neither a sentence with its number, nor a label, nor a comment: "
            reason += shown(line, 200)
            yield place, partial(fail, reason)
            continue
        label = lines[number].strip() if number < len(lines) else ""
        if label and not _START.fullmatch(label):
            number += 1
        else:
            label = ""
        yield place, partial(_parse_semeval, start[2], label, f"{split}-{start[1]}")


def _parse_semeval(quoted: str, label: str, row_id: str) -> Instance:
    quoted = quoted.strip()
    if len(quoted) < 2 or quoted[0] != '"' or quoted[-1] != '"':
        raise RowError(f"{row_id}: the sentence must stand in double quotes: {shown(quoted, 200)}")
    if not label:
        raise RowError(f"{row_id}: no label on the line below the sentence")
    try:
        plain, head, tail = tagged(quoted[1:-1], head_tag="e1", tail_tag="e2")
    except RowError as error:
        raise RowError(f"{row_id}: {error}") from None
    return Instance(id=row_id, text=plain, head=head, tail=tail, relation=label)


# TACRED: JSON objects with tokens and inclusive token indices. Subject is head, object is
# tail; Penn Treebank brackets become brackets again.
_BRACKETS = {
    "-LRB-": "(", "-RRB-": ")", "-LSB-": "[", "-RSB-": "]", "-LCB-": "{", "-RCB-": "}",
}  # fmt: skip


def tacred_rows(text: str, split: str) -> Iterator[Row]:
    """Rows of TACRED, TACREV and Re-TACRED, in a list or one a line."""
    for place, record in list_items(text):
        yield place, partial(_parse_tacred, record)


def _parse_tacred(record: Any) -> Instance:
    record = require_object(record)
    tokens: Any = record.get("token")
    if not isinstance(tokens, list) or not all(isinstance(t, str) and t for t in tokens):
        raise RowError("token must be a list of texts")
    words = [str(_BRACKETS.get(token, token)) for token in tokens]
    starts = [0]
    for word in words:
        starts.append(starts[-1] + len(word) + 1)
    spans = []
    for role in ("subj", "obj"):
        first, last = record.get(f"{role}_start"), record.get(f"{role}_end")
        # bool is an int to Python, but true is no token index.
        if type(first) is not int or type(last) is not int:
            raise RowError(f"{role}_start and {role}_end must be whole numbers")
        if not 0 <= first <= last < len(words):
            raise RowError(f"{role} tokens {first}-{last} are not within the {len(words)} tokens")
        spans.append(Span(starts[first], starts[last] + len(words[last])))
    places = {tag: [span.start, span.end] for tag, span in zip((HEAD, TAIL), spans, strict=True)}
    kinds = {
        f"{HEAD}_type": string(record, "subj_type"),
        f"{TAIL}_type": string(record, "obj_type"),
    }
    given = {"id": record.get("id"), "relation": string(record, "relation")}
    return labelled_record({"text": " ".join(words), **places, **kinds, **given})
