"""A language model that answers by a function: the only stand-in for a live one in these tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tkre.generation.protocol import Request, Response


class Scripted:
    """Answers each request with what a function says, and counts what it was asked."""

    name = "scripted"

    def __init__(self, answer: Callable[[Request], dict[str, Any] | str]) -> None:
        self._answer = answer
        self.asked: list[str] = []

    def can_answer(self, request: Request) -> bool:
        return True

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        for request in requests:
            self.asked.append(request.id)
            answer = self._answer(request)
            if isinstance(answer, dict):
                yield Response(request.id, answer=answer)
            else:
                yield Response(request.id, error="not JSON", text=answer)
