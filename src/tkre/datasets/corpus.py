"""The folder of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro_datasets._typing import TablePreview

from tkre.corpora.reading import RELATIONS_FILE, CorpusFolder
from tkre.datasets.base import ReadOnlyDataset, table_preview


class CorpusFolderDataset(ReadOnlyDataset[CorpusFolder]):
    """The folder of a corpus; nodes read its files themselves.

    Args:
        name: Name of the corpus.
        filepath: Folder of the corpus.
        fallback: ``{"filepath": ...}``: folder for files that the first one lacks. Schemas and
            recordings come with the project, third-party files lie where the user put them.
        metadata: Metadata for kedro-viz.
    """

    def __init__(
        self,
        *,
        name: str,
        filepath: str,
        fallback: dict[str, str] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._name = name
        self._folders = [Path(filepath), *([Path(fallback["filepath"])] if fallback else [])]
        self.metadata = metadata

    def load(self) -> CorpusFolder:
        """The folder; it need not exist yet."""
        return CorpusFolder(self._name, self._folders)

    def preview(self) -> TablePreview:
        """The relations of the schema; no sentence of the corpus, which may be under licence."""
        schema = self.load().schema()
        columns = ["definition", "phrase", "head_types", "tail_types", "inverse", "negative"]
        rows = [
            [name, *(_cell(getattr(schema.relations[name], column)) for column in columns)]
            for name in schema.names
        ]
        return table_preview(["relation", *columns], rows)

    def _exists(self) -> bool:
        return self.load().find(RELATIONS_FILE) is not None

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "folders": [str(folder) for folder in self._folders]}


def _cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value
