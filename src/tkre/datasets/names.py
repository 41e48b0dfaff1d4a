"""A dataset whose content is its own name: which sample, cell or experiment a node works on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import JSONPreview

from tkre.core.cells import Cell, KShotSample, parse_cell, parse_sample


class NameDataset(AbstractDataset[NoReturn, KShotSample | Cell | str]):
    """Gives nodes the shots, seed and variant of their namespace, through a factory pattern.

    Args:
        sample: Name of a sample; or
        cell: Name of a cell; or
        text: Any other name.
        metadata: For kedro-viz.
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
        """The name: it is all there is to compare."""
        return self._name

    def save(self, data: NoReturn) -> None:
        """Never: names are made by ``tkre.core.cells``."""
        raise DatasetError("a name is not saved")

    def preview(self) -> JSONPreview:
        """What kedro-viz shows: what the name says, part by part."""
        parts = {} if isinstance(self._value, str) else asdict(self._value)
        return JSONPreview(json.dumps({"name": self._name} | parts))

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"name": self._name}

    @property
    def _name(self) -> str:
        return self._value if isinstance(self._value, str) else self._value.name
