"""Masked span language modelling (MSLM): masking of the tokens of a knowledge text.

Tokens have the role of their characters: relation, entity or other. They are masked in *units*:
a relation span as a whole, all occurrences of a mention together, any other token with the rest of
its word. Text without blanks between words has the words of ``core.text``: many tokenizers take a
clause of it for one. A unit is masked with the probability of its role, which is therefore the
probability of each of its tokens; no visible half of a span reveals the other half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from transformers import BatchEncoding, PreTrainedTokenizerBase

from tkre.core.text import clause_parts
from tkre.generation.texts import KnowledgeText
from tkre.modeling.params import MaskingParams
from tkre.modeling.tokenization import Ints, covered

IGNORED = -100  # label of a position that no loss is taken at
OTHER, ENTITY, RELATION = 0, 1, 2


@dataclass(frozen=True)
class Words:
    """Mask token and size of a tokenizer's vocabulary, read once: reading takes long.

    Attributes:
        mask: Number of the mask token.
        count: Size of the vocabulary.
    """

    mask: int
    count: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Words:
        """The words of a tokenizer."""
        return cls(tokenizer.mask_token_id, len(tokenizer))


@dataclass(frozen=True)
class EncodedText:
    """A knowledge text as tokens (T of them, special tokens included).

    Attributes:
        input_ids: T token ids.
        units: T numbers of the units that the tokens are masked in; -1 for special tokens.
        probabilities: For each unit, the probability that it is masked.
        roles: T roles.
        head: T flags of the head mention's tokens, all occurrences.
        tail: T flags of the tail mention's.
        relation: Label of the text.
        truncated: Whether tokens had to be cut off.
    """

    input_ids: Ints
    units: Ints
    probabilities: npt.NDArray[np.float64]
    roles: Ints
    head: npt.NDArray[np.bool_]
    tail: npt.NDArray[np.bool_]
    relation: str
    truncated: bool

    def __len__(self) -> int:
        return len(self.input_ids)

    # Cached: these are the same in every masking of the text.
    @cached_property
    def real(self) -> npt.NDArray[np.bool_]:
        """T flags: not a special token."""
        return self.units >= 0

    @cached_property
    def spans(self) -> npt.NDArray[np.bool_]:
        """3 x T flags: head, tail, relation spans."""
        return np.stack([self.head, self.tail, self.roles == RELATION])

    @cached_property
    def other_spans(self) -> tuple[Ints, Ints]:
        """Starts and ends of spans of role "other", one for each of its tokens.

        They are as long as the relation spans together, or end with the run of such tokens.
        """
        free = (self.roles == OTHER) & self.real
        length = max(1, int((self.roles == RELATION).sum()))
        starts = np.flatnonzero(free)
        taken = np.flatnonzero(~np.append(free, False))
        over = taken[np.searchsorted(taken, starts)]
        return starts, np.minimum(starts + length, over)


def encode_texts(
    texts: Sequence[KnowledgeText], tokenizer: PreTrainedTokenizerBase, params: MaskingParams
) -> list[EncodedText]:
    """Tokens and masking units of knowledge texts, by character offsets.

    Args:
        texts: Texts in any order.
        tokenizer: A fast tokenizer.
        params: Probabilities by role, longest span that is one unit, longest text in tokens.
    """
    encoded = tokenizer(
        [t.text for t in texts],
        truncation=True,
        max_length=params.max_length,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    return [_encode(text, encoded, n, params) for n, text in enumerate(texts)]


def _encode(
    text: KnowledgeText, encoded: BatchEncoding, number: int, params: MaskingParams
) -> EncodedText:
    input_ids = np.array(encoded["input_ids"][number])
    offsets = np.array(encoded["offset_mapping"][number]).reshape(-1, 2)
    special = np.array(encoded["special_tokens_mask"][number], dtype=bool)
    truncated = bool(offsets[:, 1].max(initial=0) < len(text.text.rstrip()))
    offsets[special] = 0
    # The last character counts: a token may begin with the blank before it. One that is nothing but
    # this blank belongs to the character behind it.
    ends = [end - (not text.text[end - 1 : end].isspace()) for end in offsets[:, 1].tolist()]
    within = np.searchsorted(clause_parts(text.text), ends, side="right")
    words = list(zip(encoded.word_ids(number), within.tolist(), strict=True))
    head, tail = covered(offsets, text.heads), covered(offsets, text.tails)
    roles = np.full(len(input_ids), OTHER)
    # Units are numbered in the order of their first tokens.
    keys: list[Any] = [("word", word) for word in words]
    for n, span in enumerate(text.relations):
        inside = covered(offsets, [span])
        roles[inside] = RELATION
        if len({words[t] for t in np.flatnonzero(inside)}) <= params.max_span_words:
            for t in np.flatnonzero(inside):
                keys[t] = ("relation", n)
    for name, flags in (("head", head), ("tail", tail)):
        roles[flags] = ENTITY
        for t in np.flatnonzero(flags):
            keys[t] = name
    numbers: dict[Any, int] = {}
    pairs = zip(keys, special, strict=True)
    units = np.array([-1 if s else numbers.setdefault(k, len(numbers)) for k, s in pairs])
    rates = np.array([params.other, params.entity, params.relation])
    probabilities = np.zeros(len(numbers))
    # A unit of mixed roles (a word half inside a span) has the largest probability of its tokens.
    np.maximum.at(probabilities, units[~special], rates[roles[~special]])
    return EncodedText(input_ids, units, probabilities, roles, head, tail, text.relation, truncated)


def mask(
    text: EncodedText,
    generator: np.random.Generator,
    words: Words,
    params: MaskingParams,
) -> tuple[Ints, Ints]:
    """Masks a text once.

    Most masked units become mask tokens, some random tokens, some stay (BERT's 80/10/10, but by
    units). At least one unit of a text is masked.

    Args:
        text: The text.
        generator: Generator of the units and of their replacement.
        words: Vocabulary of its tokenizer.
        params: Shares of the masked units.

    Returns:
        T input ids; T labels, ``IGNORED`` where nothing is masked.
    """
    masked_units = generator.random(len(text.probabilities)) < text.probabilities
    if not len(masked_units):
        return text.input_ids, np.full(len(text), IGNORED)
    if not masked_units.any():
        masked_units[generator.integers(len(masked_units))] = True
    draws = generator.random(len(masked_units))[text.units]
    # A special token's unit, -1, indexes the last unit; ``real`` leaves the token out.
    masked = masked_units[text.units] & text.real
    replaced = draws < params.to_mask
    inputs = np.where(masked & replaced, words.mask, text.input_ids)
    random = masked & ~replaced & (draws < params.to_mask + params.to_random)
    if count := np.count_nonzero(random):
        inputs[random] = generator.integers(words.count, size=count)
    return inputs, np.where(masked, text.input_ids, IGNORED)
