"""Marked sentences as tokens, with flags of mentions, markers and triggers; masked mentions.

Markers are punctuation with the entity type in words (Zhou and Chen 2022, typed entity markers):
``@ * person * Ada @ was born in # ^ place ^ London #``; without types ``@ Ada @ ... # London #``.
They need no new token, so any encoder has an embedding for them.

``mask_entities`` replaces the mentions by "the head" and "the tail" instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tkre.core.instance import Instance, Span
from tkre.core.text import find_phrase
from tkre.modeling.tokenization import Encoded, Flags, Tokenizer, covered, tokenised_windows

# Rows of ``EncodedInstance.spans``.
HEAD_MARKER, TAIL_MARKER, HEAD, TAIL, BETWEEN, TRIGGERS = range(6)
ROWS = 6
_HEAD_SIGNS, _TAIL_SIGNS = ("@", "*"), ("#", "^")


@dataclass(frozen=True)
class EncodedInstance(Encoded):
    """A marked sentence as T tokens.

    Attributes:
        spans: ``ROWS`` x T flags: the opening marker of the head, that of the tail, the mentions,
            the tokens strictly between the marked mentions, the triggers.
    """

    spans: Flags


def encode_instances(
    instances: Sequence[Instance],
    tokenizer: Tokenizer,
    *,
    max_length: int,
    typed: bool,
) -> list[EncodedInstance]:
    """Encode marked sentences; the mentions are kept in every sentence that is cut.

    Args:
        instances: Instances in any order.
        tokenizer: A fast tokenizer.
        max_length: Limit in tokens; the window around both mentions is kept of a longer sentence.
        typed: Whether the markers hold the entity types, where an instance has them.
    """
    texts, rows = marked_texts(instances, typed=typed)
    windows = tokenised_windows(texts, [mentions_of(row) for row in rows], tokenizer, max_length)
    return [
        EncodedInstance(ids, truncated, np.stack([covered(offsets, spans) for spans in row]))
        for row, (ids, offsets, truncated) in zip(rows, windows, strict=True)
    ]


def marked_texts(
    instances: Sequence[Instance], *, typed: bool
) -> tuple[list[str], list[list[list[Span]]]]:
    """The results of ``mark`` for several instances: texts, and the rows of each."""
    marked = [mark(instance, typed=typed) for instance in instances]
    return [text for text, _ in marked], [rows for _, rows in marked]


def mentions_of(rows: list[list[Span]]) -> list[Span]:
    """Characters of the mentions, each with its opening marker."""
    return [
        Span(rows[marker][0].start, rows[mention][0].end)
        for marker, mention in ((HEAD_MARKER, HEAD), (TAIL_MARKER, TAIL))
    ]


def mark(instance: Instance, *, typed: bool) -> tuple[str, list[list[Span]]]:
    """The sentence with markers, and the characters of each row of ``EncodedInstance.spans``."""
    inserts: list[tuple[int, int, int, str, str]] = []
    for role, span, kind, signs in (
        ("head", instance.head, instance.head_type, _HEAD_SIGNS),
        ("tail", instance.tail, instance.tail_type, _TAIL_SIGNS),
    ):
        opening = f"{signs[0]} "
        if typed and kind:
            opening += f"{signs[1]} {type_words(kind)} {signs[1]} "
        length = span.end - span.start
        # Closing markers first, and of two mentions in one another the longer one outside.
        inserts.append((span.start, 1, -length, role, opening))
        inserts.append((span.end, 0, length, f"/{role}", f" {signs[0]}"))
    text, last = "", 0
    shifts: list[tuple[int, int]] = []  # how far a character of the sentence has moved
    at: dict[str, tuple[int, int]] = {}
    for place, _, _, role, insert in sorted(inserts):
        text += instance.text[last:place]
        at[role] = (len(text), len(text) + len(insert))
        text, last = text + insert, place
        shifts.append((place, len(text) - place))
    text += instance.text[last:]
    outer = sorted(((at["head"][0], at["/head"][1]), (at["tail"][0], at["/tail"][1])))
    between = [Span(outer[0][1], outer[1][0])] if outer[0][1] < outer[1][0] else []
    triggers = [
        Span(span.start + _shift(shifts, span.start), span.end + _shift(shifts, span.end - 1))
        for trigger in instance.triggers
        for span in find_phrase(instance.text, trigger)
    ]
    rows = [
        [Span(at["head"][0], at["head"][0] + 1)],
        [Span(at["tail"][0], at["tail"][0] + 1)],
        [Span(at["head"][1], at["/head"][0])],
        [Span(at["tail"][1], at["/tail"][0])],
        between,
        triggers,
    ]
    return text, rows


def type_words(kind: str) -> str:
    """An entity type in words."""
    return kind.lower().replace("_", " ")


def _shift(shifts: list[tuple[int, int]], place: int) -> int:
    return max((shift for at, shift in shifts if at <= place), default=0)


def encode_masked(
    instances: Sequence[Instance], tokenizer: Tokenizer, *, max_length: int, typed: bool
) -> list[Encoded]:
    """Encode sentences whose mentions are masked; arguments as in ``encode_instances``."""
    masked = [mask_entities(instance, typed=typed) for instance in instances]
    texts, places = [text for text, _ in masked], [spans for _, spans in masked]
    windows = tokenised_windows(texts, places, tokenizer, max_length)
    return [Encoded(ids, truncated) for ids, _, truncated in windows]


def mask_entities(instance: Instance, *, typed: bool) -> tuple[str, list[Span]]:
    """The sentence with its mentions replaced by "the head (a person)", and their characters.

    Of two mentions in one another only the inner one is replaced.

    Args:
        instance: The sentence.
        typed: Whether the types are named, where the instance has them.
    """
    mentions = [
        (instance.head, _masked("head", instance.head_type if typed else None)),
        (instance.tail, _masked("tail", instance.tail_type if typed else None)),
    ]
    mentions.sort(key=lambda mention: (mention[0].end - mention[0].start, mention[0]))
    if instance.head.overlaps(instance.tail):
        del mentions[1]
    text, last, places = "", 0, []
    for span, name in sorted(mentions):
        text += instance.text[last : span.start]
        places.append(Span(len(text), len(text) + len(name)))
        text, last = text + name, span.end
    return text + instance.text[last:], places


def _masked(name: str, kind: str | None) -> str:
    return f"the {name} (a {type_words(kind)})" if kind else f"the {name}"
