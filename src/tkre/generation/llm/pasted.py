"""Answers as people and batch services hand them over: read from any text, checked when asked for.

A text may be JSON Lines, a list, or what a chat window shows: code fences, sentences around the
JSON, one object over several lines. Records may be those of a response store or output lines of a
batch service (OpenAI and services like it, Anthropic, Gemini).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from tkre.core.documents import DocumentError, decode_json
from tkre.generation.llm.parsing import cleaned, tidied
from tkre.generation.llm.protocol import Response, wrong_kind

IDS = ("request_id", "custom_id", "key", "recordId", "id")  # keys of an id, the first one counts
_ANSWERS = ("response", "answer", "result", "modelOutput")
_OWN = Response.__dataclass_fields__.keys() - {"request_id", "answer", "line"}
_REASONING = ("reasoning", "thinking", "redacted_thinking")  # types of parts that hold no answer
_KIND = r"(?:explanation|synthesis|annotation|classification)/"  # an id begins with it
_RECORD = re.compile(rf'\{{\s*["\u201c-\u201f](?:(?:{"|".join(IDS)})["\u201c-\u201f]|{_KIND})')
_OPENING = re.compile(r"[{\[]")
_ID = re.compile(rf"{_KIND}[^\s\"'`*,;]*[^\s\"'`*,;:.)]")
# Lines without content: fences, and what is left of a list whose objects were read.
_FRAME = re.compile(r"\s*+(?:(?:```|~~~)\s*+\w*+|[\[\]{}]?+,?+)\s*+")
# Beginnings of JSON that are no JSON, in one text; and how often its length is read for them.
FAILED_STARTS, FAILED_READS = 1000, 10
_SHOWN = 80  # characters of a line in a message


@dataclass
class Pasted:
    """The answers in a text.

    Attributes:
        responses: In the order of the text, with their lines; ``text`` holds what is still to be
            parsed with the schema of its request.
        problems: Lines that hold no answer, with the reason.
        prose: Whether a line of ``problems`` holds no JSON either.
    """

    responses: list[Response] = field(default_factory=list)
    problems: dict[int, str] = field(default_factory=dict)
    prose: set[int] = field(default_factory=set)


def read_pasted(text: str, first_line: int = 1) -> Pasted:
    """Finds the answers in a text.

    Args:
        text: The text, in any of the forms above.
        first_line: Line number of its beginning.
    """
    found = _scan(text, first_line)
    if not found.responses and (tidy := tidied(text)) != text:
        again = _scan(tidy, first_line)
        return again if again.responses else found
    return found


def responses_in(value: Any) -> Iterator[Response | str]:
    """Responses of a JSON value, and messages in place of those that it only names.

    Args:
        value: A record, a list of records, an object of answers by id, or an object around a list.
    """
    if isinstance(value, list):
        for item in value:
            yield from responses_in(item)
    if not isinstance(value, dict):
        return
    name = next((value[key] for key in IDS if isinstance(value.get(key), str)), None)
    if name is not None:
        yield _response(name.strip(), value)
    elif value and all(_ID.fullmatch(key.strip()) for key in value):
        for key, answer in value.items():
            yield _response(key.strip(), {"response": answer})
    else:
        yield from responses_in([v for v in value.values() if isinstance(v, list)])


def _response(name: str, record: dict[str, Any]) -> Response | str:
    own = (
        {key for key in _OWN & record.keys() if record[key] is not None}
        if "request_id" in record
        else set()
    )
    fields = {key: record[key] for key in own}
    answer = next((record[key] for key in _ANSWERS if record.get(key) is not None), None)
    if answer is None and "reason" not in own:
        if record.get("error"):
            return _unanswered(name, record["error"])
        # An answer without an object of its own.
        answer = {k: v for k, v in record.items() if k not in {*IDS, *_ANSWERS, *own}} or None
    if problem := wrong_kind(fields) or _failure(answer):
        return f"{name}: {problem}" if wrong_kind(fields) else _unanswered(name, problem)
    if answer is None and own:
        return Response(name, **fields)
    answer = _unwrapped(answer)
    if isinstance(answer, dict):
        return Response(name, answer=cleaned(answer), **fields)
    if isinstance(answer, str):
        return Response(name, **(fields | {"text": answer}))
    return f"{name}: the answer must be a JSON object or a text with one, not {shortened(answer)}"


def _unanswered(name: str, problem: Any) -> str:
    return f"{name}: the service has not answered: {shortened(problem)}"


def _failure(answer: Any) -> Any:
    """What a batch service says that has no answer to a request; None if it has one."""
    match answer:
        case {"status_code": int(status), **rest} if status >= 400:
            return rest.get("body") or status
        case {"type": "errored" | "canceled" | "expired" as kind, **rest}:
            return rest.get("error") or kind
    return None


def _unwrapped(answer: Any) -> Any:
    """The text or object of an answer inside the body that a service gives back."""
    match answer:
        case (
            {"choices": [inner, *_]}
            | {"candidates": [inner, *_]}
            | {"message": dict(inner)}
            | {"body": dict(inner)}
            | {"content": list(inner) | dict(inner)}
            | {"output": list(inner) | dict(inner)}
            | {"parts": list(inner)}
        ):
            return _unwrapped(inner)
        case (
            {"tool_calls": [{"function": {"arguments": str(inner)}}, *_]}
            | {"role": str(), "content": str(inner)}
            | {"type": "tool_use", "input": dict(inner)}
        ):
            return inner
        case [_, *_] as parts if all(isinstance(part, dict) for part in parts):
            return _joined(parts)
    return answer


def text_of(message: dict[str, Any]) -> str:
    """Text of a chat message; some servers give it in parts or as the arguments of a tool."""
    whole = {"role": "assistant"} | message
    given = _unwrapped(whole)
    if isinstance(given, str):
        return given
    return "" if given is whole else json.dumps(given)


def _joined(parts: list[dict[str, Any]]) -> Any:
    """The object or the texts of a message's parts, but of those that it reasons in."""
    answers = [p for p in parts if not p.get("thought") and p.get("type") not in _REASONING]
    parts = answers or parts[:1]
    contents = [part.get("text", _unwrapped(part)) for part in parts]
    found = [c for part, c in zip(parts, contents, strict=True) if c is not part]
    text = "".join(content for content in found if isinstance(content, str))
    return next((c for c in found if isinstance(c, dict)), text or parts[0])


def _scan(text: str, first_line: int) -> Pasted:
    found = Pasted()
    taken: list[tuple[int, int]] = []
    position = failed = counted = read = behind = 0
    line = first_line
    while (
        failed < FAILED_STARTS
        and read < FAILED_READS * len(text)
        and (opening := _OPENING.search(text, position))
    ):
        start = opening.start()
        line, counted = line + text.count("\n", counted, start), start
        try:
            value, position = decode_json(text, start)
        except DocumentError as error:
            failed, position = failed + 1, start + 1
            read += (len(text) if error.at is None else error.at) - start
            if _RECORD.match(text, start):
                found.problems[line] = f"{error}: {shortened(text[start : start + 200])}"
            continue
        responses = list(responses_in(value))
        if not responses and isinstance(value, dict) and text.find("{", behind) == start:
            # Its id stands in the text before it.
            ids = set(_ID.findall(text[behind:start]))
            responses = [_response(name, {"response": value}) for name in ids if len(ids) == 1]
        for response in responses:
            if isinstance(response, Response):
                found.responses.append(replace(response, line=line))
                taken.append((start, position))
                behind = position
            else:
                found.problems.setdefault(line, response)
    _name_other_lines(text, first_line, taken, found)
    return found


def _name_other_lines(
    text: str, first_line: int, taken: list[tuple[int, int]], found: Pasted
) -> None:
    """Adds the lines of a text that no answer was read from."""
    begin = 0
    spans = iter([*taken, (len(text) + 1, len(text) + 1)])
    span, broken = next(spans), False  # broken: in an object that begins in a line before
    for number, line in enumerate(text.split("\n"), start=first_line):
        end = begin + len(line)
        while span[1] <= begin:
            span = next(spans)
        if number in found.problems:
            broken = True
        elif span[0] <= end or _FRAME.fullmatch(line):
            broken &= span[0] > end and bool(line.strip())
        elif not broken or line.startswith("{"):
            found.problems[number] = f"no answer with a request_id: {shortened(line)}"
            if not _OPENING.search(line):
                found.prose.add(number)
        begin = end + 1


def shortened(value: Any) -> str:
    """The beginning of a value, as it may stand in a message."""
    text = " ".join(str(value).split())
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
