"""Live language models of a run, and response stores (recordings, live responses)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from kedro_datasets._typing import TablePreview

from tkre.datasets import ReadOnlyDataset, table_preview
from tkre.generation.llm.lock import AnswerLock
from tkre.generation.llm.pasted import read_pasted
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore


class LanguageModelsDataset(ReadOnlyDataset[LanguageModels]):
    """The live language models of a run; nodes that load it share one instance.

    A model starts at the first request. The project's hooks close it before another node takes
    the GPU, and at the end of the run.

    Args:
        credentials: ``api_key``; None or empty for servers without one.
        metadata: Metadata for kedro-viz.
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
        """The shared models."""
        return self._models

    def digest(self, of_path: object) -> str:
        """An empty string: the models are named by parameters, and a key changes no response."""
        return ""

    def _release(self) -> None:
        self._models.close()

    def _describe(self) -> dict[str, Any]:
        return {}


PREVIEWED = ("request_id", "model", "reason", "finished", "completion_tokens", "answer")
TAIL = 1 << 18  # bytes that are read for a preview: a store may be large
LONGEST = 200  # characters of an answer in a preview


class ResponseStoreDataset(ReadOnlyDataset[ResponseStore]):
    """A response store; empty if its file does not exist.

    The store appends each response to its file when it arrives, so that an interrupted node loses
    none.

    Args:
        filepath: JSON Lines file.
        fallback: ``{"filepath": ...}``: file to read if ``filepath`` does not exist.
        lock: ``{"filepath": ...}``: file of what its answers were given to
            (``generation.llm.lock``).
        grows: Whether runs append to it. Its content then makes no result stale.
        metadata: Metadata for kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        fallback: dict[str, str] | None = None,
        lock: dict[str, str] | None = None,
        grows: bool = False,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._grows = grows
        self._lock = Path(lock["filepath"]) if lock else None
        self._files = [Path(filepath), *([Path(fallback["filepath"])] if fallback else [])]
        self.metadata = metadata

    def load(self) -> ResponseStore:
        """The store with all its attempts."""
        return ResponseStore(self._file(), AnswerLock(self._lock) if self._lock else None)

    def digest(self, of_path: Callable[[Path], str | None]) -> str:
        """Digest of its file; empty if there is none or if runs append to it."""
        return "" if self._grows else of_path(self._file()) or ""

    def preview(self, nrows: int = 10) -> TablePreview:
        """The last attempts, newest first."""
        attempts = _last_attempts(self._file())[::-1][:nrows] if self._exists() else []
        return table_preview(
            [
                {column: _cell(getattr(attempt, column)) for column in PREVIEWED}
                for attempt in attempts
            ]
        )

    def _file(self) -> Path:
        return next((file for file in self._files if file.is_file()), self._files[0])

    def _exists(self) -> bool:
        return any(file.is_file() for file in self._files)

    def _describe(self) -> dict[str, Any]:
        return {"files": [str(file) for file in self._files]}


def _last_attempts(file: Path) -> list[Response]:
    """The attempts at the end of a store; lines that hold no response are skipped."""
    with file.open("rb") as content:
        content.seek(max(0, content.seek(0, os.SEEK_END) - TAIL))
        return read_pasted(content.read().decode("utf-8", errors="replace")).responses


def _cell(value: object) -> object:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    return f"{text[:LONGEST]}…" if isinstance(text, str) and len(text) > LONGEST else text
