"""TACRED's JSON: a list of objects with tokens and inclusive token indices.

Subject is head, object is tail. Tokens are joined by single blanks; Penn Treebank brackets become
brackets again. TACREV and Re-TACRED are this file with other labels (``corpora.labels``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from typing import Any

from tkre.corpora.formats.row import Row, RowError, string
from tkre.records import Instance, Span

_BRACKETS = {
    "-LRB-": "(",
    "-RRB-": ")",
    "-LSB-": "[",
    "-RSB-": "]",
    "-LCB-": "{",
    "-RCB-": "}",
}


def rows(text: str, split: str) -> Iterator[Row]:
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
        yield f"row {number}", partial(_parse, record)


def _parse(record: Any) -> Instance:
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
