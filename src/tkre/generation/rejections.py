"""The reject ledger and the yield per relation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import pandas as pd

from tkre.generation.llm.protocol import Response

EXPLANATION, SYNTHESIS, ANNOTATION = "explanation", "synthesis", "annotation"
CLASSIFICATION = "classification"
# Name of the one row of a yield that is not counted by relation.
ALL_RELATIONS = "(all)"


@dataclass(frozen=True)
class Reject:
    """An answer, or a part of one, that is not used.

    Attributes:
        kind: ``explanation``, ``synthesis``, ``annotation`` or ``classification``.
        relation: Label of the schema; empty for an answer without one.
        request_id: Id of the request.
        reason: Key that rejects are counted by, e.g. ``near_duplicate``.
        detail: Description of the problem.
        text: The rejected text; empty if there is none.
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
        wanted: Number that the sample needs.
        requested: Number requested from the language model.
        answered: Number received.
        kept: Number used.
        surplus: Valid ones beyond those wanted.
        rejects: Rejects with their reasons.
    """

    wanted: int = 0
    requested: int = 0
    answered: int = 0
    kept: int = 0
    surplus: int = 0
    rejects: list[Reject] = field(default_factory=list)

    def attempts(self, key: str, responses: Sequence[Response]) -> Iterator[Response]:
        """The attempts at a request, counted one by one; without any, one that has no answer."""
        none = Response(key, reason="no_answer", error="the request was not answered")
        for response in responses or [none]:
            self.requested += 1
            self.answered += response.answer is not None
            yield response


def useless(kind: str, tallies: Mapping[str, Tally]) -> str | None:
    """A warning with its likely cause where answers were asked for and none is used."""
    asked = sum(tally.requested for tally in tallies.values())
    if not asked or any(tally.kept for tally in tallies.values()):
        return None
    rejects = [reject for tally in tallies.values() for reject in tally.rejects]
    counts = Counter(reject.reason for reject in rejects).most_common()
    reasons = ", ".join(f"{reason} {n}" for reason, n in counts) or "no answer"
    first = f"; the first: {rejects[0].request_id}: {rejects[0].detail}" if rejects else ""
    return (
        f"{kind}: 0 of {asked} are used ({reasons}){first}. A run goes on without them; look at "
        "rejects.csv of the sample, and at the language, the prompts and the checks under "
        f"generation.{kind} in conf/"
    )


def rejects_frame(rejects: Sequence[Reject]) -> pd.DataFrame:
    """The ledger: a row per reject."""
    return pd.DataFrame([asdict(r) for r in rejects], columns=list(Reject.__dataclass_fields__))


def yield_frame(kind: str, tallies: dict[str, Tally]) -> pd.DataFrame:
    """A row per relation: wanted, requested, answered, kept, surplus, short, rejected and why."""
    rows = []
    for relation, tally in sorted(tallies.items()):
        reasons = pd.Series([r.reason for r in tally.rejects], dtype=object).value_counts()
        rows.append(
            {
                "kind": kind,
                "relation": relation,
                "wanted": tally.wanted,
                "requested": tally.requested,
                "answered": tally.answered,
                "kept": tally.kept,
                "surplus": tally.surplus,
                "short": max(0, tally.wanted - tally.kept),
                "rejected": len(tally.rejects),
                "reasons": ", ".join(f"{reason} {n}" for reason, n in reasons.items()),
            }
        )
    return pd.DataFrame(rows)
