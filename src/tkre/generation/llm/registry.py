"""The live language models of a run: each started once, at the first question, closed together."""

from __future__ import annotations

from collections.abc import Mapping

from tkre.generation.llm.cache import CachedModel
from tkre.generation.llm.huggingface import TransformersModel
from tkre.generation.llm.openai import OpenAIServer
from tkre.generation.llm.params import (
    LanguageModelParams,
    LiveParams,
    OpenAIParams,
    ReplayParams,
    TransformersParams,
    VllmParams,
)
from tkre.generation.llm.protocol import LanguageModel, LiveModel
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.llm.vllm import VllmEngine


class LanguageModels:
    """Language models by their parameters.

    Args:
        credentials: ``api_key``, for servers that want one.
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
            params: Which one, and its settings.
            recordings: The corpus's recorded responses, for ``replay``.
            responses: Where a live model's responses are kept; ``replay`` reads them too.
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
            match params:
                case VllmParams():
                    self._live[key] = VllmEngine(params)
                case OpenAIParams():
                    self._live[key] = OpenAIServer(params, self._key)
                case TransformersParams():
                    self._live[key] = TransformersModel(params)
                case _:
                    self._live[key] = params.live(self._key)
        return self._live[key]

    def close(self) -> None:
        """Closes all that were started; they start again when asked again."""
        for model in self._live.values():
            model.close()
