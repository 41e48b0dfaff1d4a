"""Rows of sentences, in any format of ``corpora.row_files``."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets._typing import TablePreview

from tkre.corpora.records import RowError
from tkre.corpora.row_files import (
    Fields,
    Row,
    read_rows,
    require_rows,
    suffix_of,
    widened,
    writer,
)
from tkre.datasets import table_preview


class RowsDataset(AbstractVersionedDataset[list[Fields], list[Row]]):
    """A file of rows with their columns.

    Args:
        filepath: The file; its suffix says which format it has.
        version: Kedro's version.
        metadata: Metadata for kedro-viz.
    """

    def __init__(
        self,
        *,
        filepath: str,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.metadata = metadata
        super().__init__(PurePosixPath(filepath), version, lambda path: Path(path).is_file())

    def _exists(self) -> bool:
        return Path(self._get_load_path()).is_file()

    def load(self) -> list[Row]:
        """The rows with their places; one that cannot be read has its reason."""
        path = Path(self._get_load_path())
        require_rows(path)
        return list(read_rows(path))

    def save(self, data: list[Fields]) -> None:
        """Writes all columns of all rows."""
        path = Path(self._get_save_path())
        path.parent.mkdir(parents=True, exist_ok=True)
        with writer(path, suffix_of(path), widened(data)) as write:
            write(data)

    def preview(self, nrows: int = 20) -> TablePreview:
        """The first rows."""
        return table_preview(
            [row for _, row in self.load()[:nrows] if not isinstance(row, RowError)]
        )

    def _describe(self) -> dict[str, Any]:
        return {"filepath": str(self._filepath), "version": self._version}
