"""Response stores as catalog entries: the recordings of a corpus, and what live models answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError

from tkre.generation.store import ResponseStore


class ResponseStoreDataset(AbstractDataset[NoReturn, ResponseStore]):
    """Catalog entry of a response store; one that does not exist yet is empty.

    The store appends to its file by itself, answer by answer: waiting for a node to end would
    lose what was paid for.

    Args:
        filepath: A JSON Lines file.
        fallback: ``{"filepath": ...}``: the file that is read where there is none at
            ``filepath``.
        grows: Whether runs append to it: what was answered since makes no result stale.
        metadata: Ignored; for kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        fallback: dict[str, str] | None = None,
        grows: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._grows = grows
        self._files = [Path(filepath), *([Path(fallback["filepath"])] if fallback else [])]
        self.metadata = metadata

    def load(self) -> ResponseStore:
        """The store with all attempts in it."""
        return ResponseStore(self._file())

    def digest(self, of_path: Callable[[Path], str | None]) -> str:
        """That of its file; empty if there is none, and for a store that runs append to."""
        return "" if self._grows else of_path(self._file()) or ""

    def save(self, data: NoReturn) -> None:
        """Never: the store writes itself."""
        raise DatasetError("a response store is appended to as responses arrive, not saved")

    def _file(self) -> Path:
        return next((file for file in self._files if file.is_file()), self._files[0])

    def _exists(self) -> bool:
        return any(file.is_file() for file in self._files)

    def _describe(self) -> dict[str, Any]:
        return {"files": [str(file) for file in self._files]}
