"""Instances without names: "the head" and "the tail" stand in the place of the mentions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tkre.modeling.tokens import Encoded, Ints, Tokenizer, covered, tokenised, window
from tkre.records import Instance, Span


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
    told = [in_roles(instance, typed=typed) for instance in instances]
    results = []
    for (_, roles), (ids, offsets, special) in zip(
        told, tokenised([text for text, _ in told], tokenizer), strict=True
    ):
        keep = window(covered(offsets, roles) & ~special, special, max_length)
        results.append(EncodedRoles(ids[keep], truncated=len(keep) < len(ids)))
    return results


def in_roles(instance: Instance, *, typed: bool) -> tuple[str, list[Span]]:
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
