"""The live language models of a run: each created once, and behind a response store."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from tkre.generation.llm.params import BACKENDS, LanguageModelParams, LiveParams, ReplayParams
from tkre.generation.llm.parsing import load_validator
from tkre.generation.llm.protocol import LanguageModel, LiveModel, Request, Response
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore

logger = logging.getLogger(__name__)


class CachedModel:
    """A language model that sends only requests without a stored response.

    Args:
        model: Answers the requests without a stored response.
        store: Receives every attempt as it arrives, failures included.
        settings: Digest of the model's settings, with which a failure is not asked again.
    """

    def __init__(self, model: LiveModel, store: ResponseStore, settings: str | None = None) -> None:
        self.name = model.name
        self._model = model
        self._store = store
        self._settings = settings

    def holds(self, request: Request) -> bool:
        """Whether the store has a response."""
        return self._find(request) is not None

    def can_answer(self, request: Request) -> bool:
        """Always true: the model is running."""
        return True

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Yields stored responses first, then the model's as they arrive."""
        self._store.refresh()
        missing: dict[str, Request] = {}
        for request in requests:
            stored = self._find(request)
            if stored is None:
                missing[request.id] = request
            else:
                yield stored
        known = len(requests) - len(missing)
        logger.info("%d requests, %d of them answered by the store", len(requests), known)
        if missing:
            yield from self._send(missing)

    def _find(self, request: Request) -> Response | None:
        return self._store.find(request, self.name, self._settings)

    def _send(self, missing: dict[str, Request]) -> Iterator[Response]:
        got: list[Response] = []
        self._store.require_writable()
        load_validator()
        try:
            for response in self._model.generate(list(missing.values())):
                attempt = replace(
                    response,
                    digest=missing[response.request_id].digest(self.name),
                    subject=missing[response.request_id].subject or None,
                    model=self.name,
                    settings=self._settings,
                    source=self._model.source,
                    finished=datetime.now(UTC).isoformat(timespec="seconds"),
                )
                self._store.append(attempt)
                got.append(attempt)
                yield attempt
        finally:
            _log_summary(got, len(missing), self.name)


def _log_summary(got: Sequence[Response], sent: int, model: str) -> None:
    """Logs answers, failures by reason, and tokens of a batch."""
    failed = Counter(str(r.reason) for r in got if r.answer is None)
    reasons = ", ".join(f"{reason} {n}" for reason, n in failed.most_common())
    logger.log(
        logging.WARNING if failed else logging.INFO,
        "%s: %d sent, %d answered, %d failed%s%s; %d tokens read, %d written",
        model,
        sent,
        sum(r.answer is not None for r in got),
        failed.total(),
        f" ({reasons})" if reasons else "",
        f", {sent - len(got)} open" if sent > len(got) else "",
        sum(r.prompt_tokens or 0 for r in got),
        sum(r.completion_tokens or 0 for r in got),
    )
    example = next((r for r in got if r.answer is None), None)
    if example is not None:
        logger.warning("first failure, %s: %s", example.request_id, example.error)


class LanguageModels:
    """Language models by their parameters.

    Args:
        credentials: ``api_key``, for servers that require one.
    """

    def __init__(self, credentials: Mapping[str, str | None] | None = None) -> None:
        key = (credentials or {}).get("api_key") or ""
        self._key = key.strip() or None  # that of a file ends with its line
        self._live: dict[str, LiveModel] = {}

    def answering(
        self,
        params: LanguageModelParams,
        recordings: ResponseStore,
        responses: ResponseStore,
        *more: ResponseStore,
    ) -> LanguageModel:
        """The language model that answers the requests of a corpus; other live ones are closed.

        Two engines do not fit on one GPU: each is sized to take nearly all of it.

        Args:
            params: Settings of the language model.
            recordings: Recorded responses of the corpus, for ``replay``.
            responses: Store of a live model's responses; ``replay`` reads it first.
            more: Further recordings.
        """
        if isinstance(params, ReplayParams):
            return Replay(
                [responses, recordings, *more],
                params.model,
                strict=bool(params.strict),
                stale=params.stale == "use",
            )
        live = self.live(params)
        for other in self._live.values():
            if other is not live:
                other.close()
        return CachedModel(live, responses, params.settings_digest)

    def live(self, params: LiveParams) -> LiveModel:
        """The one live model of these parameters."""
        key = params.model_dump_json()
        if key not in self._live:
            self._live[key] = BACKENDS[params.backend].load()(params, self._key)
        return self._live[key]

    def close(self) -> None:
        """Closes all models; a later request starts them again."""
        for model in self._live.values():
            model.close()
