"""What checks find: an error, a warning or a note, and where it stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

SHOWN = 20  # findings of one kind that are printed; the rest is a number


class Level(StrEnum):
    """How bad it is: a run would be refused or mean nothing; worth a look; worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing that a check has found.

    Attributes:
        level: How bad it is.
        place: File and line; empty for what stands nowhere in particular.
        message: What is the matter, and the way out.
        kind: What is counted together where there is much of it, e.g. ``bad row``.
    """

    level: Level
    place: str
    message: str
    kind: str = ""

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        return f"{self.level:<7}  {place}{self.message}"


def counted(findings: Iterable[Finding]) -> dict[Level, int]:
    """How many there are of every level."""
    counts = Counter(finding.level for finding in findings)
    return {level: counts[level] for level in Level}


def told(findings: Sequence[Finding], shown: int = SHOWN) -> Iterator[str]:
    """A line for each, the worst first; of one kind only so many, then their number."""
    for level in Level:
        of_level = [finding for finding in findings if finding.level == level]
        seen: Counter[str] = Counter()
        for finding in of_level:
            seen[finding.kind] += 1
            if not finding.kind or seen[finding.kind] <= shown:
                yield str(finding)
        for kind, count in seen.items():
            if kind and count > shown:
                yield f"{level:<7}  ... and {count - shown} more: {kind}"


def names(items: Sequence[str], shown: int = 8) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(items) - shown} more" if len(items) > shown else ""
    return ", ".join(items[:shown]) + more
