"""Parsing of a model's text into a JSON object, checked against the schema of the request.

Servers do not always enforce a schema, and some cut answers off, so the texts of all backends are
parsed here. A failure has one of the reasons ``empty``, ``truncated``, ``context_full``,
``not_json`` and ``wrong_schema``.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import Any

from tkre.core.documents import DocumentError, decode_json
from tkre.generation.llm.protocol import Request, Response

# Reasoning before the answer; without an end tag there is no answer.
_THOUGHTS = re.compile(r"\A.*</think(?:ing)?>|\A\s*<think(?:ing)?>.*\Z", re.DOTALL)
MORE_ROOM = "give it reasoning_tokens, or turn its thinking off (docs/language_models.md)"
BRACES = 32  # opening braces that are tried as the start of an answer
# What word processors, rendered Markdown and models make of JSON: quotes that are not straight
# around keys and values, backslashes before signs of Markdown, commas after the last item.
_CURLY = re.compile(r"(?<=[{\[,:])(\s*)[\u201c-\u201f]|()[\u201c-\u201f](?=\s*[,:}\]])")
_MARKDOWN = re.compile(r"\\(?=[_*'])")
_LAST_COMMA = re.compile(r",(?=\s*[}\]])")


class _NotAnAnswer(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def read_answer(
    request: Request,
    text: str | None,
    *,
    complete: bool,
    reasoned: bool = False,
    prompt_tokens: int | None = None,
    completion_tokens: int | None = None,
    seconds: float | None = None,
) -> Response:
    """Parses the text of a model into the response to a request.

    Args:
        request: The request, with the schema of its answer.
        text: The generated text; None without one.
        complete: Whether the model ended by itself, not at the token limit.
        reasoned: Whether it has reasoned first; a server that gives the reasoning apart says so.
        prompt_tokens: Length of the request, in tokens.
        completion_tokens: Length of the text, in tokens.
        seconds: Seconds from the request to the text.
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
        if reason in ("not_json", "empty") and not complete:
            reason, error = _cut_off(request, completion_tokens)
            if reasoned or _only_thoughts(text or ""):
                reason = "truncated"
                error = f"cut off inside its reasoning: {error}; {MORE_ROOM}"
        return replace(response, reason=reason, error=error, text=_printable(text or ""))


def _only_thoughts(text: str) -> bool:
    return bool(_THOUGHTS.search(text)) and not _THOUGHTS.sub("", text).strip()


def _cut_off(request: Request, written: int | None) -> tuple[str, str]:
    """Reason and message of an answer cut off at its token budget or the end of the context."""
    budget = request.sampling.max_tokens
    if written is not None and written < budget:
        return "context_full", f"cut off at {written} tokens, where the model's context ends"
    return "truncated", f"cut off at {budget} tokens"


def tidied(text: str) -> str:
    """A text that holds no JSON as it is, with straight quotes and without the other faults."""
    text = _CURLY.sub(r'\1"', text.replace("\u00a0", " "))
    return _LAST_COMMA.sub("", _MARKDOWN.sub("", text))


def _parse(text: str, request: Request) -> dict[str, Any]:
    """The first JSON object in a text that fits the schema; text around it is ignored."""
    if not text.strip():
        raise _NotAnAnswer("empty", "the answer is empty")
    if not _is_object(text):  # a whole object may hold the tag within an answer
        text = _THOUGHTS.sub("", text)
    first: _NotAnAnswer | None = None
    for form in dict.fromkeys((text, tidied(text))):
        start = form.find("{")
        for _ in range(BRACES):
            if start < 0:
                break
            try:
                answer: dict[str, Any] = cleaned(_object_at(form, start, request))
            except _NotAnAnswer as problem:
                first = first or problem
                start = form.find("{", start + 1)
            else:
                return answer
    raise first or _NotAnAnswer("not_json", "no JSON object in the answer")


def _is_object(text: str) -> bool:
    """Whether a text is one JSON object, and nothing else."""
    start = text.find("{")
    if start < 0 or text[:start].strip():
        return False
    try:
        _, end = decode_json(text, start)
    except DocumentError:
        return False
    return not text[end:].strip()


def load_validator() -> Any:
    """The validator of answers. It takes up to a second to import: models do so before they ask.

    An answer that has arrived and is not stored yet is lost with the process, and paid again.
    """
    from jsonschema import Draft202012Validator

    return Draft202012Validator


def _object_at(text: str, start: int, request: Request) -> Any:
    try:
        answer, _ = decode_json(text, start)
    except DocumentError as error:
        raise _NotAnAnswer("not_json", str(error)) from None
    problem = next(load_validator()(request.schema).iter_errors(answer), None)
    if problem is not None:
        shown = problem.message if len(problem.message) <= 200 else problem.message[:200] + "..."
        raise _NotAnAnswer("wrong_schema", f"{problem.json_path}: {shown}")
    return answer


def cleaned(value: Any) -> Any:
    """A JSON value with printable texts."""
    if isinstance(value, str):
        return _printable(value)
    if isinstance(value, list):
        return [cleaned(item) for item in value]
    if isinstance(value, dict):
        return {key: cleaned(item) for key, item in value.items()}
    return value


def _printable(text: str) -> str:
    """A text without control characters (they drive terminals) and halves of surrogate pairs.

    Each becomes a space, or U+FFFD: a text keeps its length.
    """
    if text.isprintable():  # as most texts are
        return text
    shown = {"Cc": " ", "Cs": "\ufffd"}
    return "".join(
        char if char in "\n\t" else shown.get(unicodedata.category(char), char) for char in text
    )
