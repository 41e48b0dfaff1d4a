"""The format of a file, told by its first record, and the command that reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

from tkre.core.documents import DocumentError, parse_json
from tkre.core.instance import HEAD
from tkre.corpora.formats import list_items
from tkre.corpora.records import RowError
from tkre.corpora.tables import header_of, lacking_column, table_columns

_FIRST = 20  # records looked at
_LONGEST = 2_000_000  # characters of them
# The keys that a record of a format has; the first format whose keys are there is the one.
_KEYS: tuple[tuple[str, set[str]], ...] = (
    ("label_studio", {"data", "annotations"}),
    ("label_studio", {"data", "completions"}),
    ("docred", {"vertexSet", "sents"}),
    ("tacred", {"token", "subj_start", "obj_start"}),
    ("glirel", {"tokenized_text", "relations"}),
    ("spert", {"tokens", "entities", "relations"}),
    ("opennre", {"h", "t", "token"}),
    ("opennre", {"h", "t", "text"}),
    ("rebel", {"triplets"}),
    ("bioc", {"documents"}),
    ("prodigy", {"text", "relations", "tokens"}),
    ("prodigy", {"text", "relations", "spans"}),
    ("doccano", {"text", "entities"}),
    ("doccano", {"sentence", "entities"}),
    ("native", {"sentence"}),
    ("native", {"text", "head", "tail"}),
)
# Names for people.
NAMES = {
    "label_studio": "Label Studio's JSON", "docred": "DocRED's JSON", "tacred": "TACRED's JSON",
    "glirel": "GLiREL's JSON Lines", "spert": "SpERT's JSON", "opennre": "OpenNRE's JSON Lines",
    "rebel": "REBEL's triplets", "bioc": "BioC", "prodigy": "Prodigy's JSON Lines",
    "doccano": "doccano's JSON Lines, or texts with entities", "fewrel": "FewRel's JSON",
    "csv": "a table (CSV or TSV)", "semeval": "SemEval-2010 Task 8", "scibert": "SciBERT's format",
    "native": "the native format", "brat": "brat's .ann and .txt", "docbin": "spaCy's DocBin",
}  # fmt: skip


def recognised(text: str) -> str | None:
    """Name of the format of a file's content; None if it is none of those that are known."""
    text = text.removeprefix("\ufeff")
    start = text[:2000].lstrip()
    if start[:1] in ("{", "["):
        return _of_json(text)
    if start.startswith("<") and "<collection" in start:
        return "bioc"
    if re.match(r'\d+\t"', start):
        return "semeval"
    try:
        columns = table_columns(start)
    except RowError:  # a text that begins with a quote
        return None
    marked = {"head", "head_start"} & columns.keys() or "<head>" in start
    return "csv" if {"sentence", "relation"} <= columns.keys() and marked else None


def _of_json(text: str) -> str | None:
    first = next(iter(list_items(text.partition("\n")[0])), ("", None))[1]
    if not isinstance(first, dict) and len(text) <= 100 * _LONGEST:
        first = next((r for _, r in islice(list_items(text), _FIRST) if isinstance(r, dict)), None)
        if first is None:
            first = _whole(text)
    return _of_record(first) if isinstance(first, dict) else None


def _whole(text: str) -> Any:
    try:
        return parse_json(text)
    except DocumentError:
        return None


def _of_record(record: Mapping[str, Any]) -> str | None:
    for name, keys in _KEYS:
        if record.keys() >= keys:
            return name
    if "label" in record and "[[" in str(record.get("text")):
        return "scibert"
    rows = next(iter(record.values()), None)
    row = rows[0] if isinstance(rows, list) and rows else None
    return "fewrel" if isinstance(row, dict) and row.keys() >= {"tokens", "h", "t"} else None


def why_unknown(text: str) -> str:
    """Why a file is of no known format, and the way out."""
    start = text.removeprefix("\ufeff").lstrip()
    if not start:
        return "it is empty"
    if start[0] in "{[":
        records = [record for _, record in islice(list_items(text), _FIRST)]
        if any(isinstance(r, dict) and isinstance(r.get("label"), list) for r in records):
            return (
                "it has labels and no relations: export doccano's JSONL (relation), or Label "
                "Studio's JSON and not JSON-MIN"
            )
        if records and isinstance(records[0], RowError):
            return str(records[0])
    unknown = "it is of no known format (docs/data.md); --format names one"
    with suppress(RowError):  # a text that begins with a quote
        names = header_of([start.partition("\n")[0]])
        if len(names) > 2:
            unknown += f". As a table: {lacking_column(names, ('sentence', 'relation', HEAD))}"
    return unknown


def other_format(text: str, expected: str, path: str) -> str | None:
    """Message on a file of another format than the expected one, with the command that reads it.

    Args:
        text: Content of the file.
        expected: Name of the format that it is read in.
        path: Corpus and name of the file, ``<corpus>/<file>``.
    """
    found = recognised(text)
    if found is None or found == expected:
        return None
    corpus = path.partition("/")[0]
    return (
        f"this is {NAMES[found]}, read as {NAMES.get(expected, expected)}: "
        f"`kedro corpus import data/01_raw/{path} {corpus}` reads it"
    )
