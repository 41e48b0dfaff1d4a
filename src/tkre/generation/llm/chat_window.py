"""Requests as texts for a chat window: several in one message, each with its id."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Any

from tkre.generation.llm.protocol import Request

# Of one message: its characters, and the tokens of the answers to it. Chat windows take more, but
# models leave questions out, or cut their answers off, in long ones.
LONGEST_MESSAGE = 12_000
LONGEST_ANSWERS = 6_000
_INTRODUCTION = """\
Number of questions below: {count}. Answer each by itself. Write nothing but one code block, with \
one line in this form for each:

{form}

Copy every request_id letter by letter. "response" is the JSON object that is asked for below.
"""


def chat_messages(requests: Sequence[Request], longest: int = LONGEST_MESSAGE) -> Iterator[str]:
    """Texts that ask several requests of one kind each, in their order.

    What all requests of a kind begin with is written once in every text.

    Args:
        requests: The requests.
        longest: Largest number of characters of a text; a single longer request is a text, too.
    """
    kinds: dict[str, list[Request]] = {}
    for request in requests:
        kinds.setdefault(request.id.partition("/")[0], []).append(request)
    for members in kinds.values():
        lines = [_lines(request) for request in members]
        columns = zip(*lines, strict=False) if len(members) > 1 else ()
        shared = [column[0] for column in takewhile(lambda c: len(set(c)) == 1, columns)]
        own = ["\n".join(rest[len(shared) :]).strip() for rest in lines]
        beginning = "\n".join(shared).strip()
        batch: list[tuple[Request, str]] = []
        for item in zip(members, own, strict=True):
            if batch and not _fits([*batch, item], len(beginning), longest):
                yield _message(batch, beginning)
                batch = []
            batch.append(item)
        yield _message(batch, beginning)


def _lines(request: Request) -> list[str]:
    return "\n\n".join(message["content"] for message in request.messages).split("\n")


def _fits(batch: list[tuple[Request, str]], shared: int, longest: int) -> bool:
    letters = shared + sum(len(request.id) + len(own) for request, own in batch)
    tokens = sum(request.sampling.max_tokens for request, _ in batch)
    return letters <= longest and tokens <= LONGEST_ANSWERS


def _message(batch: list[tuple[Request, str]], shared: str) -> str:
    form = f'{{"request_id": "{batch[0][0].id}", "response": {_form(batch[0][0].schema)}}}'
    count = len(batch)
    parts = [_INTRODUCTION.format(count=count, form=form), shared]
    parts += [f"request_id: {request.id}\n{own}" for request, own in batch]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _form(schema: dict[str, Any]) -> str:
    """A JSON value of a schema with descriptions in place of its values."""
    match schema:
        case {"type": "object", "properties": dict(properties)}:
            items = (f"{json.dumps(key)}: {_form(value)}" for key, value in properties.items())
            return "{" + ", ".join(items) + "}"
        case {"type": "array", "items": dict(items), **rest}:
            exact = rest.get("minItems") if rest.get("minItems") == rest.get("maxItems") else None
            return f"[{_form(items)}, ...{f' {exact} in all' if exact else ''}]"
        case {"minimum": low, "maximum": high}:
            return f"<number from {low} to {high}>"
        case _:
            return '"<text>"'
