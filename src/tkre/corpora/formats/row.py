"""What all formats share: a row that is parsed later, the error of a bad one, JSON Lines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tkre.records import Instance
from tkre.suggest import did_you_mean

Row = tuple[str, Callable[[], Instance]]


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
