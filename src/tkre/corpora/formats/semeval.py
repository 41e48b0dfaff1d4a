"""SemEval-2010 Task 8's own files: four lines a row.

The number and the quoted sentence with ``<e1>`` and ``<e2>``, the label with its direction, a
comment, an empty line. e1 is the head and e2 the tail; the direction stays in the label. There
are no entity types. Ids are the split and the file's number: ``train-1``, ``test-8001``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from tkre.corpora.formats.row import Row, RowError
from tkre.records import Instance
from tkre.tagged import TagError, parse_tagged

_START = re.compile(r"(\d+)\t(.*)")


def rows(text: str, split: str) -> Iterator[Row]:
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
        yield place, partial(_parse, start[2], label, f"{split}-{start[1]}")


def _parse(quoted: str, label: str, row_id: str) -> Instance:
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
