"""JSON and YAML as people, tools and language models write them: read strictly, refused in words.

The standard readers keep the last of two equal keys, build integers and structures of any size, let
halves of surrogate pairs through, and raise errors of their own for some contents. Here each of
these is a ``DocumentError`` with the reason. All files and answers from outside are read here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from tkre.core.errors import UserError
from tkre.core.files import read_text

MAX_DEPTH = 64  # of lists and objects in each other
MAX_DIGITS = 100  # of an integer; tokenizers write "no limit" as 1e30 in digits
MAX_NODES = 200_000  # of a YAML document, each alias counted as what it stands for
_TOO_DEEP = f"nested more than {MAX_DEPTH} levels deep"
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_WHITE = re.compile(r"[ \t\r\n]*+")


class DocumentError(UserError, ValueError):
    """A text that is no usable JSON or YAML; the message is the reason, the caller adds the file.

    Attributes:
        line: Line of the problem, counted from 1; None if it is not known.
        at: Its position; None if it is not known.
    """

    def __init__(self, reason: str, line: int | None = None, at: int | None = None) -> None:
        super().__init__(reason)
        self.line, self.at = line, at


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        DocumentError: It is not JSON, or has a key twice, an integer of over ``MAX_DIGITS`` digits,
            more than ``MAX_DEPTH`` levels, a number that is no number, or half a surrogate pair.
    """
    start = _white(text, 0)
    value, end = _decode(text, start, _STRICT)
    if (end := _white(text, end)) < len(text):
        raise _not_json(json.JSONDecodeError("Extra data", text, end))
    _refuse_surrogates(value)
    return value


def json_items(text: str) -> Iterator[Any | DocumentError]:
    """The values of a JSON list, with the reason in place of those that cannot be used.

    Raises:
        DocumentError: It is not a list, or not JSON from some item on.
    """
    at = _white(text, 0)
    if text[at : at + 1] != "[":
        kind = type(parse_json(text)).__name__
        raise DocumentError(f"a JSON list was expected, not {kind}", 1)
    at = _white(text, at + 1)
    while text[at : at + 1] != "]":
        try:
            value, end = _decode(text, at, _STRICT)
            _refuse_surrogates(value)
        except DocumentError as error:
            value, end = error, _behind(text, at, error)
        yield value
        at = _white(text, end)
        if text[at : at + 1] == ",":
            at = _white(text, at + 1)
            if text[at : at + 1] == "]":
                raise _not_json(json.JSONDecodeError("Expecting value", text, at))
        elif text[at : at + 1] != "]":
            raise _not_json(json.JSONDecodeError("Expecting ',' delimiter", text, at))
    if (end := _white(text, at + 1)) < len(text):
        raise _not_json(json.JSONDecodeError("Extra data", text, end))


def decode_json(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at a position of a text, and the position behind it.

    Line breaks and tabs within strings are taken as they are, as language models write them, and so
    are halves of surrogate pairs.

    Raises:
        DocumentError: There is none (``parse_json``).
    """
    return _decode(text, start, _OF_MODELS)


def read_json(file: Path) -> Any:
    """The value of a JSON file that the project has written, or another tool.

    Raises:
        DocumentError: It is not JSON; the message names the file and the line.
        EncodingError: It is not UTF-8.
        OSError: It cannot be read.
    """
    try:
        return parse_json(read_text(file))
    except DocumentError as error:
        raise DocumentError(f"{file}, line {error.line or 1}: {error}", error.line) from None


def _decode(text: str, start: int, decoder: json.JSONDecoder) -> tuple[Any, int]:
    try:
        value, end = decoder.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _not_json(error) from None
    except RecursionError:
        raise DocumentError(_TOO_DEEP) from None
    if text.count("[", start, end) + text.count("{", start, end) > MAX_DEPTH:
        _refuse_depth(value)
    return value, end


def _behind(text: str, start: int, refused: DocumentError) -> int:
    """The position behind a value that is JSON but is refused."""
    try:
        return _LENIENT.raw_decode(text, start)[1]
    except (ValueError, RecursionError):
        raise refused from None


def _white(text: str, at: int) -> int:
    """The position of the next character that is no white space."""
    found = _WHITE.match(text, at)
    return found.end() if found else at


def _not_json(error: json.JSONDecodeError) -> DocumentError:
    """The reason with its column, and its usual cause as a hint."""
    reason = f"{error.msg.removesuffix(' at')} at column {error.colno}{_json_hint(error)}"
    return DocumentError(f"not JSON ({reason})", error.lineno, error.pos)


def _json_hint(error: json.JSONDecodeError) -> str:
    found = error.doc[error.pos : error.pos + 1]
    if error.msg.startswith("Invalid control character"):
        return r"; inside a text a tab is written \t and a line break \n"
    if found == "'":
        return '; keys and texts stand in double quotes, "like this"'
    if error.msg.startswith("Expecting ',' delimiter"):
        return r"; a double quote inside a text is written \""
    if error.msg == "Extra data":
        return "; one object a line"
    if error.msg.startswith("Expecting") and (
        curly := re.search("[\u201c\u201d\u201e]", error.doc)
    ):
        return f'; keys and texts stand in straight double quotes, ", not in {curly.group()}'
    return ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = shown(repeated(key for key, _ in pairs))
        raise DocumentError(f"key {twice} stands twice: keep one of them")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise DocumentError(
            f"an integer of {len(digits)} digits, {MAX_DIGITS} at most: a text stands in quotes"
        )
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise DocumentError(f"the number {digits[:20]} is too large")
    return value


def _constant(name: str) -> None:
    raise DocumentError(f"{name} is not JSON")


_STRICT = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant
)
_OF_MODELS = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_float, parse_constant=_constant,
    strict=False,
)  # fmt: skip
# Reads over a value that is refused, for the place behind it.
_LENIENT = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)


def _refuse_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH):
        inside = [v.values() if isinstance(v, dict) else v for v in level]
        level = [part for some in inside for part in some if isinstance(part, dict | list)]
        if not level:
            return
    raise DocumentError(_TOO_DEEP)


def _refuse_surrogates(value: Any) -> None:
    """UTF-8 has no code for them, JSON can hold them as escapes."""
    if isinstance(value, str):
        if found := _SURROGATE.search(value):
            raise DocumentError(f"half of a surrogate pair stands at character {found.start()}")
    elif isinstance(value, dict):
        for key, part in value.items():
            _refuse_surrogates(key)
            _refuse_surrogates(part)
    elif isinstance(value, list):
        for part in value:
            _refuse_surrogates(part)


# Problems as PyYAML words them, with the way out.
_YAML_HINTS = {
    "found character '\\t'": "indent with blanks, not with tabs",
    "mapping values are not allowed here": "a text with ': ' in it must stand in quotes",
    "could not find expected ':'": "a colon is missing after a name, or a quote before",
    "expected <block end>": "a line is indented more or less than those around it",
    "expected ',' or ']'": "a list is not closed: [person, place]",
}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, whose values that cannot be made are errors with a line."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node."""
        if self._depth == MAX_DEPTH:
            mark = None if parent is None else parent.start_mark
            raise DocumentError(_TOO_DEEP, mark.line + 1 if mark else None)
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node."""
        try:
            return super().construct_object(node, deep)
        except yaml.YAMLError:
            raise
        except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError):
            raise DocumentError(
                f"{shown(node.value)} cannot be read as {node.tag.rpartition(':')[2]}: put it in "
                "quotes, if it is a text",
                node.start_mark.line + 1,
            ) from None


def parse_yaml(text: str, *, names: bool = False) -> Any:
    """The value of a YAML text.

    Args:
        text: The text.
        names: See ``compose_yaml``.

    Raises:
        DocumentError: It is not YAML, or has a key twice, a value that cannot be made, an alias
            within what it stands for, more than ``MAX_DEPTH`` levels, or half a surrogate pair.
    """
    root = compose_yaml(text, names=names)
    for first, second in _keys_twice(root):
        raise DocumentError(
            f"{first.value!r} stands here and on line {first.start_mark.line + 1}; YAML would take "
            "the second and forget the first",
            second.start_mark.line + 1,
        )
    return construct_yaml(root)


def compose_yaml(text: str, *, names: bool = False) -> yaml.Node | None:
    """The nodes of a YAML text, with their lines; None for an empty one.

    Args:
        text: The text.
        names: Read ``no``, ``null``, ``1`` and the like as the texts they are written as, keys and
            values; a value that is null stays one.

    Raises:
        DocumentError: It is not YAML (``parse_yaml``, but for keys and values).
    """
    try:
        loader = _Loader(text)
        root: yaml.Node | None = loader.get_single_node()
    except yaml.YAMLError as error:
        raise _not_yaml(error) from None
    except (ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF"
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"not YAML: {error}") from None
    _check_nodes(root)
    if names and root is not None:
        _read_as_written(root)
    return root


def _read_as_written(node: yaml.Node) -> None:
    """Makes texts of scalars that YAML takes for another kind, but for values that are null."""
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    values = {id(value) for _, value in pairs}
    for inner in _inside(node):
        null = inner.tag.endswith(":null") and (id(inner) in values or not inner.value)
        if isinstance(inner, yaml.ScalarNode) and not null and not inner.tag.endswith(":merge"):
            inner.tag = "tag:yaml.org,2002:str"
        _read_as_written(inner)


def construct_yaml(root: yaml.Node | None) -> Any:
    """The value of composed nodes.

    Raises:
        DocumentError: A value cannot be made.
    """
    try:
        return None if root is None else _Loader("").construct_document(root)
    except yaml.YAMLError as error:
        raise _not_yaml(error) from None


def shown(value: Any, most: int = 80) -> str:
    """The beginning of a value, escaped, as it may stand in a message."""
    text = repr(value)
    return text if len(text) <= most else f"{text[:most]}..."


def repeated(names: Iterable[str]) -> str | None:
    """The first name that stands there a second time; None without one."""
    before: set[str] = set()
    for name in names:
        if name in before:
            return name
        before.add(name)
    return None


def _not_yaml(error: yaml.YAMLError) -> DocumentError:
    if not isinstance(error, yaml.MarkedYAMLError):  # a character that YAML does not allow
        return DocumentError(f"not YAML: {error}")
    mark = error.problem_mark or error.context_mark
    problem = str(error.problem or error.context or error)
    hint = next((f" ({hint})" for start, hint in _YAML_HINTS.items() if start in problem), "")
    return DocumentError(f"not YAML: {problem}{hint}", mark.line + 1 if mark else None)


def _inside(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _check_nodes(root: yaml.Node | None) -> None:
    """Refuses what has no end or hardly one: aliases may stand for each other."""
    level, seen = [root] if root is not None else [], 0
    for _ in range(MAX_DEPTH):
        if not level:
            return
        seen += len(level)
        for node in level:
            if isinstance(node.value, str) and _SURROGATE.search(node.value):
                line = node.start_mark.line + 1
                raise DocumentError("half of a surrogate pair stands in a text", line)
        if seen > MAX_NODES:
            break
        level = [part for node in level for part in _inside(node)]
    if seen > MAX_NODES:
        raise DocumentError(f"more than {MAX_NODES:,} values, aliases written out")
    raise DocumentError(
        f"{_TOO_DEEP}, or an alias stands within what it stands for",
        level[0].start_mark.line + 1,
    )


def _keys_twice(root: yaml.Node | None) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """Keys that stand in one mapping twice."""
    nodes = [root] if root is not None else []
    while nodes:
        node = nodes.pop()
        nodes += _inside(node)
        if isinstance(node, yaml.MappingNode):
            first: dict[tuple[str, str], yaml.Node] = {}
            for key, _ in node.value:
                name = (key.tag, str(key.value))
                if key is not first.setdefault(name, key) and key.value != "<<":
                    yield first[name], key
