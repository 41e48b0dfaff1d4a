"""What all formats share: a row that is parsed later, the error of a bad one, JSON Lines.

The project's own format: JSON Lines, one tagged sentence a line.

``{"id": "train-0001", "sentence": "<head>Ada</head> was born in <tail>London</tail>.",
"head_type": "person", "tail_type": "place", "relation": "born_in"}``; types are optional, as is
``implicit`` (true where no words state the relation).

JSON Lines as the SciBERT authors published ChemProt and SciERC.

``{"text": "... [[ head ]] ... << tail >> ...", "label": "USED-FOR"}``: no ids, no entity types.
Ids are the split and the line counted from 0: ``train-0``.

SemEval-2010 Task 8's own files: four lines a row.

The number and the quoted sentence with ``<e1>`` and ``<e2>``, the label with its direction, a
comment, an empty line. e1 is the head and e2 the tail; the direction stays in the label. There
are no entity types. Ids are the split and the file's number: ``train-1``, ``test-8001``.

TACRED's JSON: a list of objects with tokens and inclusive token indices.

Subject is head, object is tail. Tokens are joined by single blanks; Penn Treebank brackets become
brackets again. TACREV and Re-TACRED are this file with other labels (``corpora.labels``).

A format is a function ``rows(text, split)`` that yields, for every row of the file, where it
stands (``line 12``) and a function that parses it. Parsing is put off so that a row that cannot be
parsed is reported by its place and the rest of the file is read all the same. Other packages may
add formats (``tkre.core.params``). The registry is ``corpora.params.FORMATS``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tkre.core.instance import Instance, Span, TagError, parse_tagged
from tkre.core.params import did_you_mean

Row = tuple[str, Callable[[], Instance]]
Format = Callable[[str, str], Iterator[Row]]


class RowError(ValueError):
    """A row that is not an instance; the message gives the reason, the caller adds the place."""


def json_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that hold something, with their numbers counted from 1."""
    # Not splitlines(): it also breaks at characters that JSON allows inside a string.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def json_object(line: str) -> dict[str, Any]:
    """The JSON object on a line.

    Raises:
        RowError: The line is not JSON, or not an object.
    """
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        said = f"{error.msg.removesuffix(' at')} at column {error.colno}"
        raise RowError(f"not JSON ({said}{_way_out(error)})") from None
    if not isinstance(record, dict):
        raise RowError(f"a JSON object was expected, not {type(record).__name__}")
    return record


def _way_out(error: json.JSONDecodeError) -> str:
    """What is meant most often by an error that the JSON reader puts in its own words."""
    found = error.doc[error.pos : error.pos + 1]
    if error.msg.startswith("Invalid control character"):
        return r"; inside a text a tab is written \t and a line break \n"
    if found == "'":
        return '; keys and texts stand in double quotes, "like this"'
    if error.msg.startswith("Expecting ',' delimiter"):
        return r"; a double quote inside a text is written \""
    if error.msg == "Extra data":
        return "; one object a line"
    return ""


def string(record: dict[str, Any], key: str) -> str:
    """The text under a key that must be there.

    Raises:
        RowError: The key is missing, or holds no text.
    """
    if key not in record:
        raise RowError(f"key {key!r} is missing" + did_you_mean(key, record))
    value = record[key]
    if not isinstance(value, str) or not value.strip():
        raise RowError(f"{key} must be a text, not {value!r}")
    return value


_KEYS = ("id", "sentence", "relation", "head_type", "tail_type", "implicit")


def native_rows(text: str, split: str) -> Iterator[Row]:
    """The rows of a file; ids are the file's own."""
    for number, line in json_lines(text):
        yield f"line {number}", partial(_parse_native, line)


def _parse_native(line: str) -> Instance:
    record = json_object(line)
    for key in record:
        if key not in _KEYS:
            raise RowError(f"unknown key {key!r}" + did_you_mean(key, _KEYS))
    types = {key: string(record, key) for key in ("head_type", "tail_type") if record.get(key)}
    implicit = record.get("implicit")
    if implicit is not None and not isinstance(implicit, bool):
        raise RowError(f"implicit must be true or false, not {implicit!r}")
    try:
        plain, head, tail = parse_tagged(string(record, "sentence"))
    except TagError as error:
        raise RowError(str(error)) from None
    return Instance(
        id=string(record, "id"),
        text=plain,
        head=head,
        tail=tail,
        relation=string(record, "relation"),
        head_type=types.get("head_type"),
        tail_type=types.get("tail_type"),
        implicit=implicit,
    )


# The first closing mark after an opening one belongs to it: abstracts also use ">>" as "much
# greater than".
_HEAD = re.compile(r"\[\[ (.+?) \]\]")
_TAIL = re.compile(r"<< (.+?) >>")


def scibert_rows(text: str, split: str) -> Iterator[Row]:
    """The rows of a file."""
    for number, line in json_lines(text):
        yield f"line {number}", partial(_parse, line, f"{split}-{number - 1}")


def _parse(line: str, row_id: str) -> Instance:
    record = json_object(line)
    sentence = string(record, "text")
    for mark, pattern in (("[[ head ]]", _HEAD), ("<< tail >>", _TAIL)):
        found = len(pattern.findall(sentence))
        if found != 1:
            raise RowError(f"{mark} stands {found} times, not once, in {sentence!r}")
    tagged = _TAIL.sub(r"<tail>\1</tail>", _HEAD.sub(r"<head>\1</head>", sentence))
    try:
        plain, head, tail = parse_tagged(tagged)
    except TagError as error:
        raise RowError(str(error)) from None
    return Instance(id=row_id, text=plain, head=head, tail=tail, relation=string(record, "label"))


_START = re.compile(r"(\d+)\t(.*)")


def semeval_rows(text: str, split: str) -> Iterator[Row]:
    """The rows of a file; a line that belongs to no row is a bad row of its own."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    number = 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if not line.strip() or line.startswith("Comment"):
            continue
        place, start = f"line {number}", _START.fullmatch(line)
        if start is None:
            yield place, partial(_stray, line)
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
        raise RowError(f"{row_id}: the sentence must stand in double quotes: {quoted!r}")
    if not label:
        raise RowError(f"{row_id}: no label on the line below the sentence")
    try:
        plain, head, tail = parse_tagged(quoted[1:-1], head_tag="e1", tail_tag="e2")
    except TagError as error:
        raise RowError(f"{row_id}: {error}") from None
    return Instance(id=row_id, text=plain, head=head, tail=tail, relation=label)


def _stray(line: str) -> Instance:
    raise RowError(f"neither a sentence with its number, nor a label, nor a comment: {line!r}")


_BRACKETS = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
}


def tacred_rows(text: str, split: str) -> Iterator[Row]:
    """The rows of a file; a row's place is its number in the list, counted from 1."""
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at column {error.colno}"
        yield f"line {error.lineno}", partial(_fail, reason)
        return
    if not isinstance(records, list):
        yield "line 1", partial(_fail, f"a JSON list was expected, not {type(records).__name__}")
        return
    for number, record in enumerate(records, start=1):
        yield f"row {number}", partial(_parse_tacred, record)


def _parse_tacred(record: Any) -> Instance:
    if not isinstance(record, dict):
        raise RowError(f"a JSON object was expected, not {type(record).__name__}")
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
    return Instance(
        id=string(record, "id"),
        text=" ".join(words),
        head=spans[0],
        tail=spans[1],
        relation=string(record, "relation"),
        head_type=string(record, "subj_type"),
        tail_type=string(record, "obj_type"),
    )


def _fail(reason: str) -> Instance:
    raise RowError(reason)
