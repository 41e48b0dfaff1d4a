"""A dataset whose content is its own name: which draw, cell or experiment a node works on."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any, NoReturn

from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import JSONPreview

from tkre.core.cells import Cell, Draw, parse_cell, parse_draw


class NameDataset(AbstractDataset[NoReturn, Draw | Cell | str]):
    """Gives nodes the shots, seed and variant of their namespace, through a factory pattern.

    Args:
        draw: Name of a draw; or
        cell: Name of a cell; or
        text: Any other name.
        metadata: For kedro-viz.
    """

    def __init__(
        self,
        *,
        draw: str | None = None,
        cell: str | None = None,
        text: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._value: Draw | Cell | str
        if text:
            self._value = text
        else:
            self._value = parse_draw(draw) if draw else parse_cell(cell or "")
        self.metadata = metadata

    def load(self) -> Draw | Cell | str:
        """The draw, the cell or the name."""
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
