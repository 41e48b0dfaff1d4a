"""Catalog datasets that Kedro does not ship: corpus folders, response stores, checkpoints, ...

None of them imports torch when it is imported, so that the catalog resolves without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset, DatasetError


def load_path(dataset: AbstractDataset[Any, Any]) -> Path | None:
    """Where a dataset would be read from now, its newest version; None if nowhere."""
    # Kedro remembers the newest version it has seen; another process may have written since.
    dataset.release()
    try:
        path = dataset._get_load_path() if hasattr(dataset, "_get_load_path") else None
    except DatasetError:  # no version yet
        return None
    return None if path is None else Path(str(path))
