"""Which language model the parameters name. A new backend is a module and a case here."""

from __future__ import annotations

from tkre.generation.params import LanguageModelParams
from tkre.generation.protocol import LanguageModel
from tkre.generation.replay import Replay
from tkre.generation.store import ResponseStore


def build_language_model(
    params: LanguageModelParams, recordings: ResponseStore, responses: ResponseStore
) -> LanguageModel:
    """The language model that answers the requests of a corpus.

    Args:
        params: Which backend, and its settings.
        recordings: The corpus's recorded responses, for ``replay``.
        responses: Where a live model's responses are kept (``Remembering``).
    """
    match params.backend:
        case "replay":
            return Replay(recordings, params.model)
