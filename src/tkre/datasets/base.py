"""Parts that the datasets share: the base of read-only ones, and tables as previews."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, NoReturn, TypeVar

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


def table_preview(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> TablePreview:
    """Rows as the table that kedro-viz draws."""
    data = [list(row) for row in rows]
    return TablePreview({"index": list(range(len(data))), "columns": list(columns), "data": data})
