"""JSON Lines as the SciBERT authors published ChemProt and SciERC.

``{"text": "... [[ head ]] ... << tail >> ...", "label": "USED-FOR"}``: no ids, no entity types.
Ids are the split and the line counted from 0: ``train-0``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from tkre.corpora.formats.row import Row, RowError, json_lines, json_object, string
from tkre.records import Instance
from tkre.tagged import TagError, parse_tagged

# The first closing mark after an opening one belongs to it: abstracts also use ">>" as "much
# greater than".
_HEAD = re.compile(r"\[\[ (.+?) \]\]")
_TAIL = re.compile(r"<< (.+?) >>")


def rows(text: str, split: str) -> Iterator[Row]:
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
