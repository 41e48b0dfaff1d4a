"""What a question is about, as a digest: an answer to it is stale once this has changed.

It covers the sentence with its mentions, and the relations with the texts that define them. The
wording of a prompt, its examples, the model and its sampling change how a question is answered, not
what is asked.
"""

from __future__ import annotations

import unicodedata
from itertools import pairwise
from typing import Any

from tkre.core.instance import Instance
from tkre.core.provenance import digest_of

LENGTH = 12  # characters of each part: 48 bits


def subject_of(relations: Any, row: Instance | None = None) -> str:
    """``<digest of sentence and mentions>-<digest of relations>``.

    Args:
        relations: Names and texts of the relations that the question is about.
        row: Its sentence; None for a question about a relation alone, whose first part is empty.
    """
    sentence = "" if row is None else digest_of(_parts(row))[:LENGTH]
    return f"{sentence}-{digest_of(relations)[:LENGTH]}"


def has_sentence(subject: str) -> bool:
    """Whether a question is about a sentence, not about a relation alone."""
    return bool(subject.partition("-")[0])


def _parts(row: Instance) -> list[Any]:
    """The sentence cut at its mentions, in one Unicode form: the same text has one digest."""
    cuts = sorted({0, row.head.start, row.head.end, row.tail.start, row.tail.end, len(row.text)})
    pieces = [row.text[a:b] for a, b in pairwise(cuts)]
    head, tail = (cuts.index(span.start) for span in (row.head, row.tail))
    ends = [cuts.index(span.end) for span in (row.head, row.tail)]
    return [*(unicodedata.normalize("NFC", piece) for piece in pieces), head, tail, *ends]


def difference(then: str, now: str) -> str:
    """What has changed between two subjects of a question, in words."""
    parts = zip(("the sentence or its mentions", "the relation or its definition"),
                then.partition("-")[::2], now.partition("-")[::2], strict=True)  # fmt: skip
    return " and ".join(f"{name} changed" for name, before, after in parts if before != after)
