"""Catalog datasets that Kedro does not ship: corpus folders, response stores, checkpoints, ...

None of them imports torch when it is imported, so that the catalog resolves without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview

T = TypeVar("T")


class ReadOnlyDataset(AbstractDataset[NoReturn, T], Generic[T]):
    """A dataset that nodes read and never write; it always exists."""

    def save(self, data: NoReturn) -> None:
        """Raises ``DatasetError``."""
        raise DatasetError(f"{type(self).__name__} is read-only")

    def _exists(self) -> bool:
        return True


def load_path(dataset: AbstractDataset[Any, Any]) -> Path | None:
    """Path that a dataset would be read from now, its newest version; None if it has none."""
    # Kedro remembers the newest version it has seen; another process may have written since.
    dataset.release()
    try:
        path = dataset._get_load_path() if hasattr(dataset, "_get_load_path") else None
    except DatasetError:  # no version yet
        return None
    return None if path is None else Path(str(path))


def table_preview(rows: Sequence[Mapping[str, object]]) -> TablePreview:
    """Rows with the same columns as the table that kedro-viz draws."""
    return TablePreview(
        {
            "index": list(range(len(rows))),
            "columns": list(rows[0]) if rows else [],
            "data": [list(row.values()) for row in rows],
        }
    )
