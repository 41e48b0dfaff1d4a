"""What answers of a language model are worth, before anything is trained on them."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from tkre.checkup.findings import Level, names
from tkre.checkup.report import Diagnosis
from tkre.generation.ledger import EXPLANATION, SYNTHESIS

WHAT = "language model"
_CALLED = {EXPLANATION: "explanations", SYNTHESIS: "sentences"}


def of_answers(told: str, kept: pd.DataFrame) -> Diagnosis:
    """How many of the answers can be used, and why the others cannot.

    Args:
        told: Who answered how much.
        kept: The yield by kind and relation (``generation.ledger.yield_frame``).
    """
    lacking = kept[kept["short"] > 0]
    if lacking.empty:
        return Diagnosis(WHAT, told)
    parts = []
    for kind, rows in kept.groupby("kind", sort=False):
        short = rows[rows["short"] > 0]
        part = f"{rows['kept'].sum()} of {rows['wanted'].sum()} {_CALLED[str(kind)]} can be used"
        if len(short):
            part += f", too few of {names(short['relation'].tolist())}"
        refused = _reasons(rows["reasons"])
        parts.append(part + (f" (refused: {refused})" if refused else ""))
    way_out = (
        "a run goes on with what is left. To correct an answer, append a line with the same "
        "request_id to recordings.jsonl: the last one counts"
    )
    return Diagnosis(WHAT, f"{told}, but {'; '.join(parts)}; {way_out}", Level.WARNING)


def _reasons(told: pd.Series) -> str:
    """Reasons with their numbers, over relations that each tell theirs as "reason 2, other 1"."""
    total: Counter[str] = Counter()
    for reason in ", ".join(filter(None, told)).split(", "):
        name, _, number = reason.rpartition(" ")
        total[name] += int(number or 0)
    return ", ".join(f"{name} {number}" for name, number in total.most_common() if name)
