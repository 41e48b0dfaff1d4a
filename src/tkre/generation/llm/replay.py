"""Replay of stored responses: a run without a language model."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tkre.core.errors import UserError, enumerated, listed
from tkre.generation.llm.parsing import read_answer
from tkre.generation.llm.pasted import shortened
from tkre.generation.llm.protocol import Request, Response
from tkre.generation.llm.store import ResponseStore
from tkre.generation.subjects import difference

logger = logging.getLogger(__name__)
SHOWN = 10  # requests in an error message; the rest is a number


class MissingResponse(UserError, LookupError):
    """A request without a stored response; the message names it."""


class Replay:
    """A language model that only reads stored responses.

    A stored answer whose digest differs from the request's answers another question: a changed
    prompt, model, sampling or schema. Such answers are refused. An answer without a digest
    (recordings made elsewhere) is accepted with a log message, unless it names another model, or
    names none while the same store holds answers that name this one, or was given to another
    sentence or definition (``generation.subjects``). A recorded text is parsed like the text of a
    running model.

    Args:
        stores: Stores in order of preference.
        model: Name of the model that gave the stored answers.
        strict: Refuse answers without a digest.
        stale: Accept answers without a digest although what they were given to has changed.
    """

    def __init__(
        self, stores: Sequence[ResponseStore], model: str, *, strict: bool, stale: bool = False
    ) -> None:
        self.name = model
        self._stores = stores
        self._strict, self._use_stale = strict, stale
        # For each store: whether answers that name no model are this model's.
        self._nameless = [not any(a.model == model for a in store.all()) for store in stores]

    def holds(self, request: Request) -> bool:
        """Whether a store holds a response."""
        return self._lookup(request) is not None

    def can_answer(self, request: Request) -> bool:
        """Whether a store holds a response: no other model can answer."""
        return self.holds(request)

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Yields the stored responses in the order of the requests.

        Raises:
            MissingResponse: A response is missing; raised before the first answer.
        """
        found = [(request, self._lookup(request)) for request in requests]
        if missing := [request for request, response in found if response is None]:
            raise MissingResponse(self._explain(missing))
        responses = [response for _, response in found if response is not None]
        if unsigned := sum(response.digest is None for response in responses):
            logger.info(
                "replay: %d of %d responses carry no digest of their request; they are taken as "
                "answers to the requests of these names",
                unsigned,
                len(responses),
            )
        sources = Counter(f"{r.model} by {r.source}" for r in responses if r.source)
        if sources:
            words = ", ".join(f"{n} of {source}" for source, n in sources.most_common())
            logger.info("replay: the responses come from %s", words)
        yield from responses

    def _lookup(self, request: Request) -> Response | None:
        found = [store.find(request, self.name) for store in self._stores]
        exact = [response for response in found if response is not None]
        if exact:
            return next((r for r in exact if r.answer is not None), exact[0])
        # An answer without a digest may be the unusable answer to an earlier attempt.
        if request.attempt or self._strict:
            return None
        for store, nameless in zip(self._stores, self._nameless, strict=True):
            models = {self.name, None} if nameless else {self.name}
            unsigned = [
                a
                for a in store.attempts(request.id)
                if a.digest is None and (self._use_stale or not _changes(store, a, request))
            ]
            answers = [_parsed(a, request) for a in unsigned if a.model in models]
            usable = [a for a in answers if a.answer is not None]
            if usable:
                return usable[-1]
        return None

    def _explain(self, missing: list[Request]) -> str:
        stale = dict(self._stale(missing))
        known = [r.id for r in missing if any(s.attempts(r.id) for s in self._stores)]
        changed = [name for name in known if name not in stale]
        absent = [r.id for r in missing if r.id not in set(known)]
        places = " and ".join(str(store.path) for store in self._stores)
        lines = [f"{len(missing)} response(s) of {self.name!r} are missing in {places}:"]
        for reason, ids in (
            ("not in the store", absent),
            ("there, but not as answers to this very question", changed),
            ("stale", [f"{name} ({why})" for name, why in stale.items()]),
        ):
            if ids:
                lines.append(f"  {reason}: {enumerated(ids, SHOWN)}")
        models = Counter(str(a.model) for s in self._stores for a in s.all() if a.model)
        if models and self.name not in models:
            held = ", ".join(f"{model} ({n})" for model, n in models.most_common())
            lines.append(f"  the models in it, for the entry model of a replay: {held}")
        lines += self._unreadable(missing)
        if changed:
            lines.append(
                "  an answer belongs to its prompt, model, sampling and schema"
                + (
                    "; a strict replay refuses answers without a digest; entries of "
                    "generation.llms are strict unless strict: false is set"
                    if self._strict
                    else ""
                )
            )
        if stale:
            lines.append(
                "  `kedro corpus questions` asks the stale ones again; stale: use beside backend: "
                "replay takes them as they are"
            )
        lines.append(
            "Replaying needs a recorded response for each; a live language model "
            "(params:generation.language_model) would be asked for them, and `kedro corpus "
            "questions` writes them down for whoever else may answer."
        )
        return "\n".join(lines)

    def _stale(self, missing: list[Request]) -> Iterator[tuple[str, str]]:
        """Requests with an answer to what they were before, and what has changed since."""
        for request in missing:
            unsigned = [
                _changes(store, attempt, request)
                for store in self._stores
                for attempt in store.attempts(request.id)
                if attempt.digest is None
            ]
            if unsigned and all(unsigned) and not self._strict:
                yield request.id, unsigned[-1]

    def _unreadable(self, missing: list[Request]) -> list[str]:
        """Lines of recordings that were meant as answers and hold none, with the reason."""
        parsed = [
            (store.path, _parsed(attempt, request))
            for request in missing
            for store in self._stores
            for attempt in store.attempts(request.id)
            if attempt.unparsed
        ]
        lines = [
            f"  {path}, line {r.line}: {r.request_id} has no answer of its schema: "
            f"{r.error} ({r.reason}): {shortened(r.text)}"
            for path, r in parsed
            if r.answer is None
        ]
        return listed(lines, SHOWN)


def _changes(store: ResponseStore, attempt: Response, request: Request) -> str:
    """What has changed since an answer was given, in words; empty for a current answer."""
    subject = store.subject(attempt)
    if subject is None or not request.subject:
        return ""
    return difference(subject, request.subject)


def _parsed(attempt: Response, request: Request) -> Response:
    """An attempt with its answer, or its failure, if it holds a text that is still to be parsed."""
    if not attempt.unparsed:
        return attempt
    parsed = read_answer(request, attempt.text, complete=True)
    return replace(
        attempt, answer=parsed.answer, reason=parsed.reason, error=parsed.error, text=parsed.text
    )
