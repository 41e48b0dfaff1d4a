"""Instances as tokens: the sentence with markers around its mentions, and which token is what.

Markers are punctuation with the entity type in words (Zhou and Chen 2022, typed entity markers):
``@ * person * Ada @ was born in # ^ place ^ London #``; without types ``@ Ada @ ... # London #``.
They need no new token, so any encoder has an embedding for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import PreTrainedTokenizerBase

from tkre.modeling.span_masking import covered
from tkre.records import Instance, Span

# Rows of ``EncodedInstance.spans``.
HEAD_MARKER, TAIL_MARKER, HEAD, TAIL, BETWEEN, TRIGGERS = range(6)
ROWS = 6
_HEAD_SIGNS, _TAIL_SIGNS = ("@", "*"), ("#", "^")


class Encoded:
    """An instance as T tokens: what every head's own form of it has.

    Attributes:
        input_ids: T token ids.
        truncated: Whether tokens were cut off.
    """

    input_ids: npt.NDArray[np.int64]
    truncated: bool

    def __len__(self) -> int:
        return len(self.input_ids)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """What the classifier reads, by the name it has there; the last dimension is padded."""
        names = [field.name for field in fields(self) if field.name != "truncated"]  # type: ignore[arg-type]
        return {name: getattr(self, name) for name in names}


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
    tokenizer: PreTrainedTokenizerBase,
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


def tokenised(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
    """For each text its T token ids, T x 2 character offsets, T flags of special tokens.

    Args:
        texts: Whole, however long.
        tokenizer: A fast one.
    """
    if not texts:
        return
    encoded = tokenizer(
        list(texts),
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        truncation=False,
        verbose=False,
    )
    for n in range(len(texts)):
        yield (
            np.array(encoded["input_ids"][n]),
            np.array(encoded["offset_mapping"][n]).reshape(-1, 2),
            np.array(encoded["special_tokens_mask"][n], dtype=bool),
        )


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
        Span(start + _shift(shifts, start), end + _shift(shifts, end - 1))
        for start, end in _found(instance)
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


def window(
    mentions: npt.NDArray[np.bool_], special: npt.NDArray[np.bool_], max_length: int
) -> npt.NDArray[np.int64]:
    """The places of the tokens to keep: special ones and those around the mentions.

    If the mentions are too far apart for one window, half of it goes to either.

    Args:
        mentions: T flags.
        special: T flags.
        max_length: In tokens, special ones included.
    """
    size = len(special)
    if size <= max_length:
        return np.arange(size)
    room = max_length - int(special.sum())
    real = np.flatnonzero(~special)
    needed = np.flatnonzero(mentions[real])
    first, last = int(needed[0]), int(needed[-1])
    if last - first < room:
        start = min(max(0, (first + last + 1 - room) // 2), len(real) - room)
        kept = np.arange(start, start + room)
    else:
        half = room // 2
        kept = np.concatenate(
            [np.arange(first, first + room - half), np.arange(last + 1 - half, last + 1)]
        )
    return np.sort(np.concatenate([real[kept], np.flatnonzero(special)]))


def _found(instance: Instance) -> list[tuple[int, int]]:
    """Where the triggers stand in the sentence, every occurrence."""
    found = []
    for trigger in instance.triggers:
        start = instance.text.find(trigger)
        while start >= 0:
            found.append((start, start + len(trigger)))
            start = instance.text.find(trigger, start + 1)
    return found


def _shift(shifts: list[tuple[int, int]], place: int) -> int:
    return max((shift for at, shift in shifts if at <= place), default=0)
