"""Any live language model with a response store under it: asked once, remembered for good."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tkre.generation.llm.protocol import LiveModel, Request, Response
from tkre.generation.llm.store import ResponseStore

logger = logging.getLogger(__name__)


class CachedModel:
    """A language model that looks into its store before it asks.

    Args:
        model: Answers what the store does not hold.
        store: Takes every attempt, failed ones too, as it arrives.
    """

    def __init__(self, model: LiveModel, store: ResponseStore) -> None:
        self.name = model.name
        self._model = model
        self._store = store

    def holds(self, request: Request) -> bool:
        """Whether the store has a response."""
        return self._store.find(request, self.name) is not None

    def can_answer(self, request: Request) -> bool:
        """A model that runs is always worth asking."""
        return True

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Stored responses first, then the model's as they come."""
        self._store.refresh()
        asked: dict[str, Request] = {}
        for request in requests:
            stored = self._store.find(request, self.name)
            if stored is None:
                asked[request.id] = request
            else:
                yield stored
        known = len(requests) - len(asked)
        logger.info("%d requests, %d of them answered by the store", len(requests), known)
        if asked:
            yield from self._asked(asked)

    def _asked(self, asked: dict[str, Request]) -> Iterator[Response]:
        got: list[Response] = []
        try:
            for response in self._model.generate(list(asked.values())):
                attempt = replace(
                    response,
                    digest=asked[response.request_id].digest(self.name),
                    model=self.name,
                    source=self._model.source,
                    finished=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                self._store.append(attempt)
                got.append(attempt)
                yield attempt
        finally:
            _tell(got, len(asked), self.name)


def _tell(got: Sequence[Response], asked: int, model: str) -> None:
    """The summary of a batch: what was answered, why not, and what it took."""
    failed = Counter(str(r.reason) for r in got if r.answer is None)
    reasons = ", ".join(f"{reason} {n}" for reason, n in failed.most_common())
    logger.log(
        logging.WARNING if failed else logging.INFO,
        "%s: %d asked, %d answered, %d failed%s%s; %d tokens read, %d written",
        model,
        asked,
        sum(r.answer is not None for r in got),
        failed.total(),
        f" ({reasons})" if reasons else "",
        f", {asked - len(got)} open" if asked > len(got) else "",
        sum(r.prompt_tokens or 0 for r in got),
        sum(r.completion_tokens or 0 for r in got),
    )
    example = next((r for r in got if r.answer is None), None)
    if example is not None:
        logger.warning("first failure, %s: %s", example.request_id, example.error)
