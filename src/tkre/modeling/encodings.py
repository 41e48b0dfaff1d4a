"""Functions that encode sentences for a head (``HeadKind.encoding``), without torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tkre.core.instance import Instance
from tkre.modeling.entity_markers import encode_instances, encode_masked
from tkre.modeling.prompts import ONE_MASK, encode_prompts, phrase_lengths, phrases_of
from tkre.modeling.settings import ClassifierSettings, most_tokens
from tkre.modeling.tokenization import Encoded, Tokenizer

Encoding = Callable[[ClassifierSettings, Sequence[Instance], Tokenizer], Sequence[Encoded]]


def marked(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Marked sentences (``modeling.entity_markers``), for every ``MarkedHead``."""
    return encode_instances(
        instances, tokenizer, max_length=config.max_length, typed=config.typed_markers
    )


def masked(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Sentences with "the head" and "the tail" for their mentions."""
    return encode_masked(
        instances, tokenizer, max_length=config.max_length, typed=config.typed_markers
    )


def with_phrases(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Sentences with a prompt for every number of tokens that a phrase has."""
    return _prompted(config, instances, tokenizer, phrase_lengths(phrases_of(config)))


def with_one_mask(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Sentences with a prompt of one mask."""
    return _prompted(config, instances, tokenizer, ONE_MASK)


def _prompted(
    config: ClassifierSettings,
    instances: Sequence[Instance],
    tokenizer: Tokenizer,
    lengths: Sequence[int],
) -> Sequence[Encoded]:
    return encode_prompts(
        instances, tokenizer, lengths,
        max_length=config.max_length, positions=most_tokens(config.encoder),
        typed=config.typed_markers,
    )  # fmt: skip
