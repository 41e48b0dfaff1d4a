"""Rows of a corpus as files: the native format, tables, tasks of Label Studio."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from tkre.core.instance import HEAD, TAIL, Instance, TagError, parse_tagged, to_tagged
from tkre.corpora.tables import EXPORTED, inert


def native_record(row: Instance) -> dict[str, Any]:
    """A row in the native format: tagged, or with spans where its text holds tags itself."""
    record: dict[str, Any] = {"id": row.id, "sentence": to_tagged(row)}
    try:
        marked = parse_tagged(record["sentence"]) == (row.text, row.head, row.tail)
    except TagError:
        marked = False
    if not marked:
        spans = {HEAD: [row.head.start, row.head.end], TAIL: [row.tail.start, row.tail.end]}
        record = {"id": row.id, "text": row.text, **spans}
    more = {"head_type": row.head_type, "tail_type": row.tail_type, "relation": row.relation,
            "implicit": row.implicit}  # fmt: skip
    return record | {key: value for key, value in more.items() if value is not None}


def native_lines(rows: Iterable[Instance]) -> str:
    """Rows as JSON Lines of the native format."""
    return "".join(json.dumps(native_record(row), ensure_ascii=False) + "\n" for row in rows)


def table_of(rows: Iterable[Instance], delimiter: str = ",") -> str:
    """Rows as a table that ``csv_rows`` reads; a spreadsheet runs none of its cells."""
    file = io.StringIO(newline="")
    writer = csv.writer(file, delimiter=delimiter)
    writer.writerow(EXPORTED)
    for row in rows:
        cells: list[Any] = [row.id, row.text, row.relation]
        for span, kind in ((row.head, row.head_type), (row.tail, row.tail_type)):
            cells += [span.of(row.text), span.start, span.end, kind or ""]
        writer.writerow([inert(str(cell)) for cell in cells])
    return file.getvalue()


def label_studio_tasks(rows: Sequence[Instance]) -> str:
    """Rows as tasks of Label Studio, one for each sentence, with the texts of the mentions."""
    by_text: dict[str, list[Instance]] = {}
    for row in rows:
        by_text.setdefault(row.text, []).append(row)
    tasks = []
    for number, (text, same) in enumerate(by_text.items(), start=1):
        regions: dict[tuple[Any, ...], dict[str, Any]] = {}
        relations = []
        for row in same:
            keys = [(row.head, row.head_type), (row.tail, row.tail_type)]
            for span, kind in keys:
                value = {"start": span.start, "end": span.end, "text": span.of(text),
                         "labels": [kind or "entity"]}  # fmt: skip
                region = {"id": f"r{len(regions) + 1}", "from_name": "label", "to_name": "text",
                          "type": "labels", "value": value}  # fmt: skip
                regions.setdefault((span, kind), region)
            ends = [regions[key]["id"] for key in keys]
            relations.append({"type": "relation", "from_id": ends[0], "to_id": ends[1],
                              "direction": "right", "labels": [row.relation]})  # fmt: skip
        data = {"text": text, "ids": [row.id for row in same]}
        annotation = {"result": [*regions.values(), *relations]}
        tasks.append({"id": number, "data": data, "annotations": [annotation]})
    return json.dumps(tasks, ensure_ascii=False, indent=1)


EXPORTS: Mapping[str, Callable[[Sequence[Instance]], str]] = {
    ".jsonl": native_lines,
    ".csv": table_of,
    ".tsv": lambda rows: table_of(rows, "\t"),
    ".json": label_studio_tasks,
}
