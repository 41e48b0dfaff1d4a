"""Cells that differ in nothing but their seed: what means over seeds are taken over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tkre.evaluation.tables import PLACE

# What a cell is, but for its seed.
SETTING = [*PLACE, "variant"]


def by_setting(metrics: Sequence[Mapping[str, Any]]) -> list[tuple[dict[str, Any], list[int]]]:
    """The settings of cells, each with the numbers of its cells, in the order of the cells."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for number, cell in enumerate(metrics):
        groups.setdefault(tuple(cell[name] for name in SETTING), []).append(number)
    return [(dict(zip(SETTING, setting, strict=True)), cells) for setting, cells in groups.items()]
