"""Which cells of a baseline stand beside those of a variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tkre.core.cells import IN_ORDER
from tkre.core.params import NO_LLM

# What a cell may have read: coordinates that go together, and the value of the first for nothing.
_READ: dict[str, tuple[tuple[str, ...], Any]] = {
    "synthetic": (("synthetic", "noise", "filtered"), 0),
    "annotated": (("annotated", "chosen"), 0),
    "llm": (("llm",), NO_LLM),
}
# Parts that one of two compared cells need not read, tried in this order.
_UNREAD: tuple[tuple[str, ...], ...] = (("annotated",), ("synthetic", "llm"), tuple(_READ))


def paired_cells(baseline: pd.DataFrame, place: Mapping[str, Any]) -> pd.DataFrame:
    """The cells of a baseline that those of a variant at a place are compared with.

    Args:
        baseline: All cells of the baseline, with columns of the coordinates.
        place: Coordinates of the variant: corpus, shots, and what it has read.

    Returns:
        Cells of one setting: those at the same place; else those whose annotated rows were taken in
        order; else those that differ only in what one of the two does not read. None where several
        settings differ so.
    """
    same = (baseline["corpus"] == place["corpus"]) & (baseline["shots"] == place["shots"])
    cells = baseline[same]
    settings = cells[list(place)].drop_duplicates()
    tried: list[tuple[Mapping[str, Any], tuple[str, ...]]] = [
        (place, ()), ({**place, "chosen": IN_ORDER}, ()), *((place, unread) for unread in _UNREAD),
    ]  # fmt: skip
    for wanted, unread in tried:
        agree = [_agree(wanted, setting, unread) for setting in settings.to_dict("records")]
        if any(agree):
            return cells.merge(settings[agree]) if sum(agree) == 1 else cells[:0]
    return cells[:0]


def _agree(one: Mapping[Any, Any], other: Mapping[Any, Any], unread: Sequence[str]) -> bool:
    """Whether two places differ at most in parts that one of them does not read."""
    return all(
        all(one[key] == other[key] for key in keys)
        or (part in unread and nothing in (one[keys[0]], other[keys[0]]))
        for part, (keys, nothing) in _READ.items()
    )
