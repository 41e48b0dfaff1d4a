"""Answers from a response store and nothing behind it: a run without any language model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from tkre.generation.protocol import Request, Response
from tkre.generation.store import ResponseStore

logger = logging.getLogger(__name__)
SHOWN = 10  # requests in an error message; the rest is a number


class MissingResponse(LookupError):
    """A request that the replayed store holds no answer to; the message names it."""


class Replay:
    """A language model that knows only what a store holds.

    A stored answer without a digest (recordings made elsewhere) is taken on trust, and this is
    said once. One whose digest differs answers another question: a changed prompt, model or
    schema. Such answers are refused.

    Args:
        store: What is replayed.
        model: Name of the model that gave the stored answers.
    """

    def __init__(self, store: ResponseStore, model: str) -> None:
        self.name = model
        self._store = store

    def can_answer(self, request: Request) -> bool:
        """Whether the store holds an answer."""
        return self._lookup(request) is not None

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """The stored answers, in the order of the requests.

        Raises:
            MissingResponse: Before the first answer, if any is missing.
        """
        found = [(request, self._lookup(request)) for request in requests]
        if missing := [request for request, response in found if response is None]:
            raise MissingResponse(self._explain(missing))
        responses = [response for _, response in found if response is not None]
        if trusted := sum(response.digest is None for response in responses):
            logger.info(
                "replay: %d of %d responses carry no digest of their request; they are taken as "
                "answers to the requests of these names",
                trusted,
                len(responses),
            )
        yield from responses

    def _lookup(self, request: Request) -> Response | None:
        exact = self._store.find(request, self.name)
        if exact is not None:
            return exact
        answers = [a for a in self._store.attempts(request.id) if a.answer is not None]
        return next((a for a in reversed(answers) if a.digest is None), None)

    def _explain(self, missing: list[Request]) -> str:
        changed = [r.id for r in missing if self._store.attempts(r.id)]
        absent = [r.id for r in missing if not self._store.attempts(r.id)]
        lines = [f"{len(missing)} response(s) are missing in {self._store.path}:"]
        for reason, ids in (
            ("not in the store", absent),
            ("there, but as answers to other prompts, models, settings or schemas", changed),
        ):
            if ids:
                more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
                lines.append(f"  {reason}: {', '.join(ids[:SHOWN])}{more}")
        lines.append(
            "Replaying needs a recorded response for each; a live language model "
            "(params:generation.language_model) would be asked for them."
        )
        return "\n".join(lines)
