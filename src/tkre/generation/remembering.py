"""Any live language model with a response store under it: asked once, remembered for good."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tkre.generation.protocol import LanguageModel, Request, Response
from tkre.generation.store import ResponseStore

logger = logging.getLogger(__name__)


class Remembering:
    """A language model that looks into its store before it asks.

    Args:
        model: Answers what the store does not hold.
        store: Takes every attempt, failed ones too, as it arrives.
    """

    def __init__(self, model: LanguageModel, store: ResponseStore) -> None:
        self.name = model.name
        self._model = model
        self._store = store

    def can_answer(self, request: Request) -> bool:
        """Always worth asking, if the model itself is."""
        return self._store.find(request, self.name) is not None or self._model.can_answer(request)

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Stored answers first, then the model's as they come."""
        asked: dict[str, Request] = {}
        for request in requests:
            stored = self._store.find(request, self.name)
            if stored is None:
                asked[request.id] = request
            else:
                yield stored
        known = len(requests) - len(asked)
        logger.info("%d requests, %d of them answered by the store", len(requests), known)
        for response in self._model.generate(list(asked.values())):
            digest = asked[response.request_id].digest(self.name)
            attempt = replace(response, digest=digest, model=self.name)
            self._store.append(attempt)
            yield attempt
