"""A corpus's folder as a catalog entry."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

from tkre.corpora.reading import RELATIONS_FILE, CorpusFolder


class CorpusFolderDataset(AbstractDataset[NoReturn, CorpusFolder]):
    """Catalog entry of a corpus's folder. Files are read when they are asked for, not before.

    Args:
        name: Of the corpus.
        filepath: Its folder.
        fallback: ``{"filepath": ...}``: where a file is looked up that is not there: schemas and
            recordings come with the project, third-party files lie where the user put them.
        metadata: For kedro-viz.
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

    def save(self, data: NoReturn) -> None:
        """Never: a corpus is what its annotators made."""
        raise DatasetError("a corpus folder is read-only")

    def preview(self) -> TablePreview:
        """What kedro-viz shows: the relations of the schema, never a sentence of the corpus."""
        schema = self.load().schema()
        columns = ["definition", "phrase", "head_types", "tail_types", "inverse", "negative"]
        rows = [[getattr(schema.relations[name], c) for c in columns] for name in schema.names]
        return TablePreview(
            {
                "index": list(range(len(rows))),
                "columns": ["relation", *columns],
                "data": [
                    [name, *(_in_a_cell(value) for value in row)]
                    for name, row in zip(schema.names, rows, strict=True)
                ],
            }
        )

    def _exists(self) -> bool:
        return self.load().find(RELATIONS_FILE) is not None

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name, "folders": [str(folder) for folder in self._folders]}


def _in_a_cell(value: object) -> object:
    return ", ".join(value) if isinstance(value, tuple) else value
