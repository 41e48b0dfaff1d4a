"""A language model that answers by a function: the only stand-in for a live one in these tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tkre.generation.llm.parsing import read_answer
from tkre.generation.llm.protocol import Request, Response

Answer = dict[str, Any] | str | Response


class Scripted:
    """Answers each request with what a function says, and counts what it was asked.

    A live model; and, since it holds nothing, a language model as the pipelines see it too.

    Args:
        answer: An answer; a text, read as that of any model; or the whole response.
    """

    name = "scripted"
    source = "script 1.0"

    def __init__(self, answer: Callable[[Request], Answer]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    @property
    def asked(self) -> list[str]:
        return [request.id for request in self.requests]

    def holds(self, request: Request) -> bool:
        return False

    def can_answer(self, request: Request) -> bool:
        return True

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        for request in requests:
            self.requests.append(request)
            answer = self._answer(request)
            if isinstance(answer, str):
                answer = read_answer(request, answer, complete=True)
            yield answer if isinstance(answer, Response) else Response(request.id, answer=answer)

    def check(self) -> None:
        pass

    def count_tokens(self, requests: Sequence[Request]) -> list[int]:
        return [sum(len(m["content"].split()) for m in request.messages) for request in requests]

    def close(self) -> None:
        pass


def cut_off(request: Request, text: str = '{"cut') -> Response:
    """What a model gives that comes to the end of its budget."""
    budget = request.sampling.max_tokens
    return read_answer(request, text, complete=False, completion_tokens=budget)


def unreachable(request: Request) -> Response:
    """What is left of a request that was not answered at all."""
    return Response(request.id, reason="unreachable", error="connection refused")
