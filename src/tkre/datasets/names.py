"""The sample, cell or experiment that a node works on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from kedro_datasets._typing import JSONPreview

from tkre.core.cells import Cell, KShotSample, parse_cell, parse_sample
from tkre.datasets.base import ReadOnlyDataset


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
        self._value: KShotSample | Cell | str
        if text:
            self._value = text
        else:
            self._value = parse_sample(sample) if sample else parse_cell(cell or "")
        self.metadata = metadata

    def load(self) -> KShotSample | Cell | str:
        """The sample, the cell or the name."""
        return self._value

    def digest(self, of_path: object) -> str:
        """The name."""
        return self._name

    def preview(self) -> JSONPreview:
        """The parts of the name."""
        parts = {} if isinstance(self._value, str) else asdict(self._value)
        return JSONPreview(json.dumps({"name": self._name} | parts))

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}

    @property
    def _name(self) -> str:
        return self._value if isinstance(self._value, str) else self._value.name
