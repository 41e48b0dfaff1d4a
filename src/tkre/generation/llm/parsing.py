"""From what a model wrote to an answer: parsed and checked here, whatever the backend promised.

Servers that are given a schema do not always enforce it, and some cut answers off; so every answer
is read in this one place, and what is not an answer gets a reason that counts are made by:
``empty``, ``truncated``, ``context_full``, ``not_json``, ``wrong_schema``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from typing import Any

from tkre.generation.llm.protocol import Request, Response

# Reasoning models put them before the answer; those that have no end have no answer behind them.
_THOUGHTS = re.compile(r"\A.*</think>|\A\s*<think>.*\Z", re.DOTALL)
BRACES = 32  # places in a text where an answer is looked for


class _NotAnAnswer(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_answer(
    request: Request,
    text: str | None,
    *,
    complete: bool,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    seconds: float | None = None,
) -> Response:
    """The response to a request, from the text that a model wrote.

    Args:
        request: What was asked, with the schema of its answer.
        text: What came back; None if nothing did.
        complete: Whether the model ended by itself, not at its limit of tokens.
        prompt_tokens: Length of the question.
        completion_tokens: Length of the answer.
        seconds: Time it took.
    """
    response = Response(
        request.id,
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        seconds=None if seconds is None else round(seconds, 3),
    )
    try:
        return replace(response, answer=_parse(text or "", request))
    except _NotAnAnswer as problem:
        reason, error = problem.reason, str(problem)
        # An answer that is whole at its limit is an answer; only what cannot be read was cut off.
        if reason == "not_json" and not complete:
            reason, error = _cut_off(request, completion_tokens)
        return replace(response, reason=reason, error=error, text=_printable(text or ""))


def _cut_off(request: Request, written: int | None) -> tuple[str, str]:
    """Where an answer ended too soon: at its own budget, or where the model's context ends."""
    budget = request.sampling.max_tokens
    if written is not None and written < budget:
        return "context_full", f"cut off at {written} tokens, where the model's context ends"
    return "truncated", f"cut off at {budget} tokens"


def _parse(text: str, request: Request) -> dict[str, Any]:
    """The first JSON object in a text that fits the schema; what stands around it is no matter."""
    if not text.strip():
        raise _NotAnAnswer("empty", "the answer is empty")
    text = _THOUGHTS.sub("", text)
    first: _NotAnAnswer | None = None
    start = text.find("{")
    for _ in range(BRACES):
        if start < 0:
            break
        try:
            answer: dict[str, Any] = _cleaned(_object_at(text, start, request))
        except _NotAnAnswer as problem:
            first = first or problem
            start = text.find("{", start + 1)
        else:
            return answer
    raise first or _NotAnAnswer("not_json", "no JSON object in the answer")


def _object_at(text: str, start: int, request: Request) -> Any:
    # Where its formats are installed too (by Jupyter), it takes a second to import.
    from jsonschema import Draft202012Validator

    # Not strict: models write line breaks and tabs into strings as they are.
    decoder = json.JSONDecoder(strict=False, parse_constant=_refuse_constant)
    try:
        answer, _ = decoder.raw_decode(text, start)
    except (ValueError, RecursionError) as error:
        detail = str(error) if isinstance(error, ValueError) else "nested too deeply"
        raise _NotAnAnswer("not_json", detail) from None
    problem = next(Draft202012Validator(request.schema).iter_errors(answer), None)
    if problem is not None:
        shown = problem.message if len(problem.message) <= 200 else problem.message[:200] + "..."
        raise _NotAnAnswer("wrong_schema", f"{problem.json_path}: {shown}")
    return answer


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _cleaned(value: Any) -> Any:
    """A JSON value whose texts can be stored and shown."""
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    return value


def _printable(text: str) -> str:
    """A text without control characters (they drive terminals) and halves of surrogate pairs.

    Each becomes a space, or U+FFFD: a text keeps its length.
    """
    shown = {"Cc": " ", "Cs": "\ufffd"}
    return "".join(
        char if char in "\n\t" else shown.get(unicodedata.category(char), char) for char in text
    )
