"""Read-only datasets that are not files: corpus folders, and names of samples and cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro_datasets._typing import TablePreview

from tkre.core.cells import Cell, KShotSample, parse_cell, parse_sample
from tkre.corpora.reading import RELATIONS_FILE, CorpusFolder
from tkre.datasets import ReadOnlyDataset, table_preview


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
        return table_preview(
            [
                {
                    "relation": name,
                    "definition": relation.definition,
                    "phrase": relation.phrase,
                    "head_types": ", ".join(relation.head_types),
                    "tail_types": ", ".join(relation.tail_types),
                    "inverse": relation.inverse,
                    "negative": relation.negative,
                }
                for name, relation in self.load().schema().relations.items()
            ]
        )

    def _exists(self) -> bool:
        return self.load().find(RELATIONS_FILE) is not None

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "folders": [str(folder) for folder in self._folders]}


class NameDataset(ReadOnlyDataset[KShotSample | Cell | str]):
    """The sample, cell or experiment of a namespace, parsed from a factory pattern.

    Args:
        sample: Name of a sample.
        cell: Name of a cell.
        text: Any other name. One of the three is given.
        metadata: Metadata for kedro-viz.
    """

    def __init__(
        self,
        *,
        sample: str | None = None,
        cell: str | None = None,
        text: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._name = sample or cell or text or ""
        self._parse = parse_sample if sample else parse_cell if cell else str
        self.metadata = metadata

    def load(self) -> KShotSample | Cell | str:
        """The sample, the cell or the name."""
        return self._parse(self._name)

    def digest(self, of_path: object) -> str:
        """The name."""
        return self._name

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}
