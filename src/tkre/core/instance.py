"""Spans and instances, their rows in a data frame, and sentences with tagged mentions.

A span is a pair of character offsets, half-open, into the plain text of one sentence. Datasets
convert frames to instances; pandas is imported only for that. Corpus files, language models and
users mark mentions by tags, ``<head>..</head>`` and ``<tail>..</tail>``, which become offsets.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from itertools import islice
from typing import TYPE_CHECKING, Any

from tkre.core.documents import shown
from tkre.core.errors import UserError

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


# Beginning of the ids of instances whose label is a language model's answer about unlabelled text.
ANNOTATION_ID = "annotation/"
# Beginning of the ids of such instances whose label a person has reviewed (``corpora.reviewed``).
REVIEWED_ID = "reviewed/"
# Beginning of the ids of such instances that another classifier has labelled.
DISTILLED_ID = "distilled/"


@dataclass(frozen=True, slots=True)
class Instance:
    """One sentence with a head mention, a tail mention and, if known, the relation between them.

    Attributes:
        id: Unique within its corpus, e.g. ``train-0001``.
        text: The sentence without tags.
        head: Span of the head mention in ``text``.
        tail: Span of the tail mention.
        relation: Label of the relation schema; None for a sentence to be labelled.
        head_type: Entity type of the head; None where the corpus has none.
        tail_type: Entity type of the tail.
        triggers: Words of ``text``, verbatim, that signal the relation.
        explanation: A language model's explanation of the relation.
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
    def annotated(self) -> bool:
        """Whether a language model has labelled it (``generation.annotation``)."""
        return self.id.startswith(ANNOTATION_ID)

    @property
    def reviewed(self) -> bool:
        """Whether a person has labelled it on the review page (``corpora.reviewed``)."""
        return self.id.startswith(REVIEWED_ID)

    @property
    def natural(self) -> bool:
        """Whether it is unlabelled text of the corpus: annotated, reviewed or distilled."""
        return self.annotated or self.reviewed or self.id.startswith(DISTILLED_ID)

    @property
    def between(self) -> Span | None:
        """Span between the mentions; None if they touch or overlap."""
        first, second = sorted((self.head, self.tail))
        return Span(first.end, second.start) if first.end < second.start else None

    def inverted(self) -> Instance:
        """The same sentence with head and tail exchanged; the relation stays."""
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


HEAD, TAIL = "head", "tail"
# Possessive: the two runs of white space would else be divided in every way.
_LIKE_A_TAG = re.compile(r"[<\[]\s*+/?+\s*+\w{1,20}+\s*+[>\]]")
_TRIED = 100  # of what looks like a tag; each is compared with the missing one


class TagError(UserError, ValueError):
    """A sentence whose tags do not mark one head and one tail; the message says what is wrong."""


def parse_tagged(
    sentence: str, head_tag: str = HEAD, tail_tag: str = TAIL
) -> tuple[str, Span, Span]:
    """The plain text of a tagged sentence and the spans of its two mentions.

    Args:
        sentence: Text in which each mention stands once between its own pair of tags. A mention
            may hold the other one; they may not cross.
        head_tag: Name of the tag around the head (SemEval's is ``e1``).
        tail_tag: Name of the tag around the tail.

    Returns:
        The text without tags, the head span, the tail span.

    Raises:
        TagError: A tag is missing, doubled or closed before it opens, a mention is empty, or the
            mentions cross.
    """
    quoted = shown(sentence, 300)
    pieces = re.split(rf"(</?(?:{re.escape(head_tag)}|{re.escape(tail_tag)})>)", sentence)
    offsets: dict[str, int] = {}
    text = ""
    for n, piece in enumerate(pieces):
        if n % 2 == 0:  # re.split puts the separators, here the tags, at the odd places
            text += piece
        elif piece in offsets:
            raise TagError(f"tag {piece} stands more than once in {quoted}")
        else:
            offsets[piece] = len(text)
    spans = []
    for tag in (head_tag, tail_tag):
        opening, closing = f"<{tag}>", f"</{tag}>"
        for needed in (opening, closing):
            if needed not in offsets:
                hint = _mistyped(needed, sentence, offsets)
                raise TagError(f"tag {needed} is missing in {quoted}{hint}")
        if offsets[closing] < offsets[opening]:
            raise TagError(f"{closing} stands before {opening} in {quoted}")
        span = _strip(text, offsets[opening], offsets[closing])
        if span.start >= span.end:
            raise TagError(f"nothing stands between {opening} and {closing} in {quoted}")
        spans.append(span)
    head, tail = spans
    first, second = sorted((head, tail))
    if first.start < second.start < first.end < second.end:
        raise TagError(f"the mentions cross each other in {quoted}")
    return text, head, tail


def to_tagged(instance: Instance) -> str:
    """The sentence of an instance with its mentions in tags; ``parse_tagged`` undoes it."""
    # At one place: closing tags before opening ones, the inner mention inside the outer one.
    marks = []
    for tag, span in ((HEAD, instance.head), (TAIL, instance.tail)):
        length = span.end - span.start
        marks.append((span.start, 1, -length, f"<{tag}>"))
        marks.append((span.end, 0, length, f"</{tag}>"))
    text, last = "", 0
    for place, _, _, tag in sorted(marks):
        text += instance.text[last:place] + tag
        last = place
    return text + instance.text[last:]


def _strip(text: str, start: int, end: int) -> Span:
    """White space just inside a tag does not belong to the mention."""
    mention = text[start:end]
    start += len(mention) - len(mention.lstrip())
    return Span(start, max(start, end - (len(mention) - len(mention.rstrip()))))


def _mistyped(needed: str, sentence: str, read: Container[str]) -> str:
    """What may be meant for a tag that is missing: ``<Tail>``, ``[tail]``, ``<tial>``."""
    alike = (match.group() for match in _LIKE_A_TAG.finditer(sentence))
    found = {tag.lower(): tag for tag in islice(alike, _TRIED) if tag not in read}
    near = get_close_matches(needed, found, n=1)
    return f" (there is {found[near[0]]!r} instead)" if near else ""
