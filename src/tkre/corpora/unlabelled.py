"""Sentences to be labelled: the native format without a relation."""

from __future__ import annotations

from typing import Any

from tkre.corpora.formats.row import RowError, json_lines, json_object, string
from tkre.corpora.reading import SHOWN, CorpusError
from tkre.records import Instance
from tkre.tagged import TagError, parse_tagged


def read_unlabelled(text: str, file: str) -> list[Instance]:
    """The instances in a file of JSON Lines.

    Args:
        text: Lines such as ``{"sentence": "<head>Ada</head> ... <tail>London</tail>."}``, with
            ``id``, ``head_type``, ``tail_type`` if there are any; other keys are not looked at.
        file: Its name, for messages.

    Raises:
        CorpusError: A line is no sentence with one head and one tail; all such lines are listed.
    """
    instances, bad = [], []
    for number, line in json_lines(text):
        try:
            record = json_object(line)
            string(record, "sentence")
            instances.append(unlabelled_instance(record, f"line-{number}"))
        except (RowError, TagError) as error:
            bad.append(f"  {file}, line {number}: {error}")
    if bad:
        more = [f"  ... and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        raise CorpusError("\n".join([f"{len(bad)} bad line(s):", *bad[:SHOWN], *more]))
    return instances


def unlabelled_instance(record: dict[str, Any], default_id: str) -> Instance:
    """The instance of one record.

    Raises:
        TagError: The tags do not mark one head and one tail.
    """
    plain, head, tail = parse_tagged(record["sentence"])
    return Instance(
        id=str(record.get("id") or default_id),
        text=plain,
        head=head,
        tail=tail,
        head_type=record.get("head_type"),
        tail_type=record.get("tail_type"),
    )
