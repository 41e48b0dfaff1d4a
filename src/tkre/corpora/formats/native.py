"""The project's own format: JSON Lines, one tagged sentence a line.

``{"id": "train-0001", "sentence": "<head>Ada</head> was born in <tail>London</tail>.",
"head_type": "person", "tail_type": "place", "relation": "born_in"}``; types are optional, as is
``implicit`` (true where no words state the relation).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from tkre.corpora.formats.row import Row, RowError, json_lines, json_object, string
from tkre.records import Instance
from tkre.suggest import did_you_mean
from tkre.tagged import TagError, parse_tagged

_KEYS = ("id", "sentence", "relation", "head_type", "tail_type", "implicit")


def rows(text: str, split: str) -> Iterator[Row]:
    """The rows of a file; ids are the file's own."""
    for number, line in json_lines(text):
        yield f"line {number}", partial(_parse, line)


def _parse(line: str) -> Instance:
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
