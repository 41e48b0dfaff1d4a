"""Instances as tokens: the sentence with markers around its mentions, and which token is what.

Markers are punctuation with the entity type in words (Zhou and Chen 2022, typed entity markers):
``@ * person * Ada @ was born in # ^ place ^ London #``; without types ``@ Ada @ ... # London #``.
They need no new token, so any encoder has an embedding for them.

Instances without names: "the head" and "the tail" stand in the place of the mentions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tkre.core.instance import Instance, Span
from tkre.core.text import find_phrase
from tkre.modeling.tokenization import Encoded, Ints, Tokenizer, covered, tokenised, window

# Rows of ``EncodedInstance.spans``.
HEAD_MARKER, TAIL_MARKER, HEAD, TAIL, BETWEEN, TRIGGERS = range(6)
ROWS = 6
_HEAD_SIGNS, _TAIL_SIGNS = ("@", "*"), ("#", "^")


@dataclass(frozen=True)
class EncodedInstance(Encoded):
    """A marked sentence as T tokens.

    Attributes:
        input_ids: T token ids.
        spans: ``ROWS`` x T flags: the opening marker of the head, that of the tail, the mentions,
            the tokens strictly between the marked mentions, the triggers.
        truncated: Whether tokens were cut off.
    """

    input_ids: npt.NDArray[np.int64]
    spans: npt.NDArray[np.bool_]
    truncated: bool


def encode_instances(
    instances: Sequence[Instance],
    tokenizer: Tokenizer,
    *,
    max_length: int,
    typed: bool,
) -> list[EncodedInstance]:
    """Tokens of marked sentences, with the mentions kept whatever has to be cut.

    Args:
        instances: In any order.
        tokenizer: A fast one.
        max_length: In tokens. Of a longer sentence the window around both mentions is kept.
        typed: Whether the markers hold the entity types, where an instance has them.
    """
    marked = [mark(instance, typed=typed) for instance in instances]
    results = []
    for (_, places), (ids, offsets, special) in zip(
        marked, tokenised([text for text, _ in marked], tokenizer), strict=True
    ):
        spans = np.stack([covered(offsets, row) & ~special for row in places])
        mentions = np.logical_or.reduce(spans[[HEAD_MARKER, TAIL_MARKER, HEAD, TAIL]], axis=0)
        keep = window(mentions, special, max_length)
        results.append(EncodedInstance(ids[keep], spans[:, keep], truncated=len(keep) < len(ids)))
    return results


def mark(instance: Instance, *, typed: bool) -> tuple[str, list[list[Span]]]:
    """The sentence with markers, and the characters of each row of ``EncodedInstance.spans``."""
    inserts: list[tuple[int, int, int, str, str]] = []
    for role, span, kind, signs in (
        ("head", instance.head, instance.head_type, _HEAD_SIGNS),
        ("tail", instance.tail, instance.tail_type, _TAIL_SIGNS),
    ):
        opening = f"{signs[0]} "
        if typed and kind:
            opening += f"{signs[1]} {kind.lower().replace('_', ' ')} {signs[1]} "
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


def _shift(shifts: list[tuple[int, int]], place: int) -> int:
    return max((shift for at, shift in shifts if at <= place), default=0)


@dataclass(frozen=True)
class EncodedRoles(Encoded):
    """A sentence with "the head" and "the tail" for its mentions, as T tokens.

    Attributes:
        input_ids: T token ids.
        truncated: Whether tokens were cut off.
    """

    input_ids: Ints
    truncated: bool


def encode_roles(
    instances: Sequence[Instance], tokenizer: Tokenizer, *, max_length: int, typed: bool
) -> list[EncodedRoles]:
    """Tokens of sentences that speak of the head and the tail.

    Args:
        instances: In any order.
        tokenizer: A fast one.
        max_length: In tokens. Of a longer sentence the window around both roles is kept.
        typed: Whether the types are told, where an instance has them.
    """
    told = [mask_entities(instance, typed=typed) for instance in instances]
    results = []
    for (_, roles), (ids, offsets, special) in zip(
        told, tokenised([text for text, _ in told], tokenizer), strict=True
    ):
        keep = window(covered(offsets, roles) & ~special, special, max_length)
        results.append(EncodedRoles(ids[keep], truncated=len(keep) < len(ids)))
    return results


def mask_entities(instance: Instance, *, typed: bool) -> tuple[str, list[Span]]:
    """The sentence with its mentions replaced by "the head (a person)", and where those stand.

    Mentions in one another cannot both be replaced: then the inner one is replaced alone.

    Args:
        instance: The sentence.
        typed: Whether the types are told, where the instance has them.
    """
    roles = [
        (instance.head, _role("head", instance.head_type if typed else None)),
        (instance.tail, _role("tail", instance.tail_type if typed else None)),
    ]
    roles.sort(key=lambda role: (role[0].end - role[0].start, role[0]))
    if instance.head.overlaps(instance.tail):
        del roles[1]
    text, last, places = "", 0, []
    for span, name in sorted(roles):
        text += instance.text[last : span.start]
        places.append(Span(len(text), len(text) + len(name)))
        text, last = text + name, span.end
    return text + instance.text[last:], places


def _role(name: str, kind: str | None) -> str:
    return f"the {name} (a {kind.lower().replace('_', ' ')})" if kind else f"the {name}"
