"""What everything speaks of: spans, instances, and their rows in a data frame.

A span is a pair of character offsets, half-open, into the plain text of one sentence. Frames are
how instances cross a Kedro node; inside a node they are the frozen records of this module. Only
frames need pandas: a classifier that labels sentences starts without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters ``start`` to ``end`` (half-open) of a text."""

    start: int
    end: int

    def of(self, text: str) -> str:
        """The characters of the span."""
        return text[self.start : self.end]

    def overlaps(self, other: Span) -> bool:
        """Whether the two spans share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Instance:
    """One sentence with a head mention, a tail mention and, if known, the relation between them.

    Attributes:
        id: Unique within its corpus, e.g. ``train-0001``.
        text: The sentence without tags.
        head: Where the head mention stands in ``text``.
        tail: Where the tail mention stands.
        relation: Label of the relation schema; None for a sentence to be labelled.
        head_type: Entity type, None where the corpus has none.
        tail_type: Likewise.
        triggers: Words of ``text``, verbatim, that signal the relation.
        explanation: Why the instance has its relation, as a language model put it.
        implicit: Whether the relation is stated without a trigger word, where the corpus says so.

    Raises:
        ValueError: A span is empty, or not within the text.
    """

    id: str
    text: str
    head: Span
    tail: Span
    relation: str | None = None
    head_type: str | None = None
    tail_type: str | None = None
    triggers: tuple[str, ...] = ()
    explanation: str | None = None
    implicit: bool | None = None

    def __post_init__(self) -> None:
        for name, span in (("head", self.head), ("tail", self.tail)):
            if not 0 <= span.start < span.end <= len(self.text):
                raise ValueError(
                    f"{self.id}: {name} span {span.start}-{span.end} is empty or outside the "
                    f"{len(self.text)} characters of its text"
                )

    @property
    def head_text(self) -> str:
        """The head mention as it stands in the sentence."""
        return self.head.of(self.text)

    @property
    def tail_text(self) -> str:
        """The tail mention as it stands in the sentence."""
        return self.tail.of(self.text)

    @property
    def between(self) -> Span | None:
        """What stands between the mentions; None if they touch or overlap."""
        first, second = sorted((self.head, self.tail))
        return Span(first.end, second.start) if first.end < second.start else None

    def exchanged(self) -> Instance:
        """The same sentence with head and tail exchanged; the relation is not turned round."""
        return replace(
            self,
            head=self.tail,
            tail=self.head,
            head_type=self.tail_type,
            tail_type=self.head_type,
        )


# Spans become two integer columns each, so that any tool can read a frame.
COLUMNS = [
    "id",
    "text",
    "head_start",
    "head_end",
    "tail_start",
    "tail_end",
    *(f.name for f in fields(Instance) if f.name not in {"id", "text", "head", "tail"}),
]


def to_frame(instances: Iterable[Instance]) -> pd.DataFrame:
    """Instances as a frame of the columns ``COLUMNS``, one row each, in order."""
    import pandas as pd

    rows = [
        {
            "id": i.id,
            "text": i.text,
            "head_start": i.head.start,
            "head_end": i.head.end,
            "tail_start": i.tail.start,
            "tail_end": i.tail.end,
            "relation": i.relation,
            "head_type": i.head_type,
            "tail_type": i.tail_type,
            "triggers": list(i.triggers),
            "explanation": i.explanation,
            "implicit": i.implicit,
        }
        for i in instances
    ]
    # `object` keeps None as None: a column without any type would else become floats.
    return pd.DataFrame(rows, columns=COLUMNS, dtype=object).astype(
        dict.fromkeys(["head_start", "head_end", "tail_start", "tail_end"], int)
    )


def from_frame(frame: pd.DataFrame) -> list[Instance]:
    """The instances of a frame that ``to_frame`` made; offsets are checked against the text."""
    return [
        Instance(
            id=row["id"],
            text=row["text"],
            head=Span(int(row["head_start"]), int(row["head_end"])),
            tail=Span(int(row["tail_start"]), int(row["tail_end"])),
            relation=_optional(row["relation"]),
            head_type=_optional(row["head_type"]),
            tail_type=_optional(row["tail_type"]),
            triggers=tuple(row["triggers"]),
            explanation=_optional(row["explanation"]),
            implicit=_optional(row["implicit"]),
        )
        for row in frame.to_dict("records")
    ]


def _optional(value: Any) -> Any:
    """A missing cell comes back from a file as None or NaN; both mean None."""
    import pandas as pd

    return None if pd.api.types.is_scalar(value) and pd.isna(value) else value
