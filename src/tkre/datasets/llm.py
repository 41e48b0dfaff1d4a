"""The live language models of a run as a catalog entry: their key, and how long they live.

Response stores as catalog entries: the recordings of a corpus, and what live models answered.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from tkre.generation.llm.protocol import Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore


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


PREVIEWED = ("request_id", "model", "reason", "finished", "completion_tokens", "answer")
TAIL = 1 << 18  # bytes that are read for a preview: a store may be large
LONGEST = 200  # characters of an answer


class ResponseStoreDataset(AbstractDataset[NoReturn, ResponseStore]):
    """Catalog entry of a response store; one that does not exist yet is empty.

    The store appends to its file by itself, answer by answer: waiting for a node to end would
    lose what was paid for.

    Args:
        filepath: A JSON Lines file.
        fallback: ``{"filepath": ...}``: the file that is read where there is none at
            ``filepath``.
        grows: Whether runs append to it: what was answered since makes no result stale.
        metadata: For kedro-viz.
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

    def preview(self, nrows: int = 10) -> TablePreview:
        """What kedro-viz shows: the last attempts, the newest first."""
        attempts = [*_last_attempts(self._file())][::-1][:nrows] if self._exists() else []
        return TablePreview(
            {
                "index": list(range(len(attempts))),
                "columns": list(PREVIEWED),
                "data": [[_in_a_cell(getattr(a, c)) for c in PREVIEWED] for a in attempts],
            }
        )

    def _file(self) -> Path:
        return next((file for file in self._files if file.is_file()), self._files[0])

    def _exists(self) -> bool:
        return any(file.is_file() for file in self._files)

    def _describe(self) -> dict[str, Any]:
        return {"files": [str(file) for file in self._files]}


def _last_attempts(file: Path) -> Iterator[Response]:
    """The attempts at the end of a store; a line that is no response is passed over."""
    with file.open("rb") as content:
        content.seek(max(0, content.seek(0, os.SEEK_END) - TAIL))
        lines = content.read().decode("utf-8", errors="replace").split("\n")
    for line in lines:
        try:
            yield Response.from_dict(json.loads(line))
        except (ValueError, TypeError, AttributeError):  # the first is cut, the last may be torn
            continue


def _in_a_cell(value: object) -> object:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
    return f"{text[:LONGEST]}…" if isinstance(text, str) and len(text) > LONGEST else text
