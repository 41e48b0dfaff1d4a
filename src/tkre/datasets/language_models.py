"""The live language models of a run as a catalog entry: their key, and how long they live."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from tkre.generation.backends.pool import LanguageModels


class LanguageModelsDataset(AbstractDataset[NoReturn, LanguageModels]):
    """Catalog entry of the live language models: nodes that load it share what is running.

    Nothing starts before a question is asked. The project's hooks close what has been started
    before anything else takes the GPU, and at the end of the run, however it ends.

    Args:
        credentials: ``api_key``; None or empty for servers that want none.
        metadata: Ignored; for kedro-viz.
    """

    def __init__(
        self,
        *,
        credentials: Mapping[str, str | None] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._models = LanguageModels(credentials)
        self.metadata = metadata

    def load(self) -> LanguageModels:
        """The same models for all."""
        return self._models

    def digest(self, of_path: object) -> str:
        """Nothing: which models they are is in the parameters, and a key changes no answer."""
        return ""

    def save(self, data: NoReturn) -> None:
        """Never."""
        raise DatasetError("language models are read, not saved")

    def _exists(self) -> bool:
        return True

    def _release(self) -> None:
        self._models.close()

    def _describe(self) -> dict[str, Any]:
        return {}
