"""What became of everything that was asked: the reject ledger and the yield per relation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import pandas as pd

EXPLANATION, SYNTHESIS = "explanation", "synthesis"


@dataclass(frozen=True)
class Reject:
    """Something a language model wrote that is not used.

    Attributes:
        kind: ``explanation`` or ``synthesis``.
        relation: Of the schema.
        request_id: What had been asked.
        reason: One of few words that counts are made by, e.g. ``near_copy``.
        detail: What exactly was wrong.
        text: What it had written, as far as there is a text.
    """

    kind: str
    relation: str
    request_id: str
    reason: str
    detail: str
    text: str


@dataclass
class Tally:
    """Counts for one relation.

    Attributes:
        wanted: How many the cell needs.
        asked: How many the language model was asked for.
        answered: How many came back.
        kept: How many are used.
        surplus: Valid ones beyond those wanted.
        rejects: What is not used, with reasons.
    """

    wanted: int = 0
    asked: int = 0
    answered: int = 0
    kept: int = 0
    surplus: int = 0
    rejects: list[Reject] = field(default_factory=list)


def rejects_frame(rejects: Sequence[Reject]) -> pd.DataFrame:
    """The ledger: a row per reject."""
    return pd.DataFrame([asdict(r) for r in rejects], columns=list(Reject.__dataclass_fields__))


def yield_frame(kind: str, tallies: dict[str, Tally]) -> pd.DataFrame:
    """A row per relation: wanted, asked, answered, kept, surplus, short, rejected and why."""
    rows = []
    for relation, tally in sorted(tallies.items()):
        reasons = pd.Series([r.reason for r in tally.rejects], dtype=object).value_counts()
        rows.append(
            {
                "kind": kind,
                "relation": relation,
                "wanted": tally.wanted,
                "asked": tally.asked,
                "answered": tally.answered,
                "kept": tally.kept,
                "surplus": tally.surplus,
                "short": max(0, tally.wanted - tally.kept),
                "rejected": len(tally.rejects),
                "reasons": ", ".join(f"{reason} {n}" for reason, n in reasons.items()),
            }
        )
    return pd.DataFrame(rows)
