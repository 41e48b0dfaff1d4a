"""How each kind of head has its sentences encoded, by the kind's name and without torch.

The heads themselves call the same functions. An exported classifier has no head, and needs torch
only where its head's kind is not here: another package may add its own (``tkre.core.params``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tkre.core.instance import Instance
from tkre.core.params import Registry
from tkre.modeling.entity_markers import encode_instances, encode_roles
from tkre.modeling.prompts import ONE_MASK, encode_prompts, phrase_lengths, phrases_of
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Tokenizer

Encoding = Callable[[ClassifierSettings, Sequence[Instance], Tokenizer], Sequence[Encoded]]


def marked(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Marked sentences (``modeling.entity_markers``), which every ``MarkedHead`` reads."""
    return encode_instances(
        instances, tokenizer, max_length=config.max_length, typed=config.typed_markers
    )


def with_phrases(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Sentences with a prompt for every number of tokens that a phrase has."""
    return _with_prompts(config, instances, tokenizer, phrase_lengths(phrases_of(config)))


def with_one_mask(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Sentences with a prompt of one mask."""
    return _with_prompts(config, instances, tokenizer, ONE_MASK)


def mask_entities(
    config: ClassifierSettings, instances: Sequence[Instance], tokenizer: Tokenizer
) -> Sequence[Encoded]:
    """Sentences that speak of the head and the tail (``modeling.entity_markers``)."""
    return encode_roles(
        instances, tokenizer, max_length=config.max_length, typed=config.typed_markers
    )


def _with_prompts(
    config: ClassifierSettings,
    instances: Sequence[Instance],
    tokenizer: Tokenizer,
    lengths: Sequence[int],
) -> Sequence[Encoded]:
    return encode_prompts(
        instances, tokenizer, lengths, max_length=config.max_length, typed=config.typed_markers
    )


ENCODINGS: Registry[Encoding] = Registry(
    "tkre.encodings",
    {
        "markers": marked,
        "spans": marked,
        "prompt": with_phrases,
        "virtual_words": with_one_mask,
        "prototypes": mask_entities,
    },
)
