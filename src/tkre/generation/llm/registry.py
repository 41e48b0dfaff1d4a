"""The live language models of a run: each created once, started by its first request."""

from __future__ import annotations

from collections.abc import Mapping

from tkre.generation.llm.cache import CachedModel
from tkre.generation.llm.params import BACKENDS, LanguageModelParams, LiveParams, ReplayParams
from tkre.generation.llm.protocol import LanguageModel, LiveModel
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore


class LanguageModels:
    """Language models by their parameters.

    Args:
        credentials: ``api_key``, for servers that require one.
    """

    def __init__(self, credentials: Mapping[str, str | None] | None = None) -> None:
        self._key = (credentials or {}).get("api_key") or None
        self._live: dict[str, LiveModel] = {}

    def answering(
        self, params: LanguageModelParams, recordings: ResponseStore, responses: ResponseStore
    ) -> LanguageModel:
        """The language model that answers the requests of a corpus; other live ones are closed.

        Two engines do not fit on one GPU: each is sized to take nearly all of it.

        Args:
            params: Settings of the language model.
            recordings: Recorded responses of the corpus, for ``replay``.
            responses: Store of a live model's responses; ``replay`` reads it first.
        """
        if isinstance(params, ReplayParams):
            return Replay([responses, recordings], params.model, strict=bool(params.strict))
        live = self.live(params)
        for other in self._live.values():
            if other is not live:
                other.close()
        return CachedModel(live, responses)

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
