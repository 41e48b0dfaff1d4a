"""Prompts as tokens: a sentence, and one prompt for each number of tokens that a phrase has.

``[CLS] @ Ada @ left # London #. [SEP] the Ada [MASK] [MASK] the London [SEP] ...``: a masked
language model predicts the masks. Phrases of 2 and of 3 tokens need prompts of their own. All
prompts are packed into one sequence: the sentence occurs once and attends to no prompt; each prompt
attends to the sentence and itself, and its positions continue those of the sentence. So each prompt
is read as if it were alone, at a fraction of the cost. The sentence does not attend to the prompts;
markers show it the mentions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tkre.core.instance import Instance
from tkre.modeling.entity_markers import marked_texts, mentions_of, type_words
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Ints, Tokenizer, tokenised_windows

# Limit for the tokens of a mention with its type in a prompt; the first ones of more are kept.
MENTION_TOKENS = 24
# Lengths of phrases where a relation is one trained word.
ONE_MASK: Sequence[int] = (1,)


@dataclass(frozen=True)
class EncodedPrompts(Encoded):
    """A sentence and its prompts as T tokens with S masks.

    Attributes:
        positions: T positions, counted from 0; those of every prompt continue the sentence's.
        prompts: T numbers of the prompts, counted from 1; 0 is the sentence.
        masks: S places of the mask tokens, those of the prompt of the shortest phrases first.
    """

    positions: Ints
    prompts: Ints
    masks: Ints


def encode_prompts(
    instances: Sequence[Instance],
    tokenizer: Tokenizer,
    lengths: Sequence[int],
    *,
    max_length: int,
    positions: int | None,
    typed: bool,
) -> list[EncodedPrompts]:
    """Encode marked sentences with their prompts.

    Args:
        instances: Instances in any order.
        tokenizer: A fast tokenizer with a mask token.
        lengths: Lengths of the phrases in tokens; each has a prompt.
        max_length: Limit of the sentence in tokens; the window around both mentions is kept of a
            longer one.
        positions: Number of positions that the encoder has, for a sentence and the longest prompt;
            None sets no limit.
        typed: Whether markers and prompts hold the entity types, where an instance has them.
    """
    texts, rows = marked_texts(instances, typed=typed)
    if positions is not None:
        longest_prompt = 2 * MENTION_TOKENS + max(lengths) + 1
        max_length = min(max_length, positions - longest_prompt)
    windows = tokenised_windows(texts, [mentions_of(row) for row in rows], tokenizer, max_length)
    results = []
    for instance, (ids, _, truncated) in zip(instances, windows, strict=True):
        sides = [
            phrase_ids(f"the {type_words(kind)} {mention}" if typed and kind else f"the {mention}",
                       tokenizer)
            for mention, kind in (
                (instance.head_text, instance.head_type), (instance.tail_text, instance.tail_type)
            )
        ]  # fmt: skip
        cut = truncated or any(len(side) > MENTION_TOKENS for side in sides)
        head, tail = (side[:MENTION_TOKENS] for side in sides)
        results.append(_packed(ids, head, tail, tokenizer, lengths, truncated=cut))
    return results


def phrases_of(config: ClassifierSettings) -> list[Sequence[int]]:
    """Tokens of every label's phrase, in the order of the labels; empty for none."""
    return [config.phrases.get(config.id2label[n], []) for n in range(config.num_labels)]


def phrase_lengths(phrases: Sequence[Sequence[int]]) -> list[int]:
    """The different numbers of tokens that phrases have."""
    return sorted({len(phrase) for phrase in phrases})


def phrase_ids(phrase: str, tokenizer: Tokenizer) -> list[int]:
    """Tokens of words inside a text, where byte-level tokenizers expect a space before them."""
    ids: list[int] = tokenizer(f" {phrase}", add_special_tokens=False)["input_ids"]
    return ids


def _packed(
    sentence: Ints,
    head: list[int],
    tail: list[int],
    tokenizer: Tokenizer,
    lengths: Sequence[int],
    *,
    truncated: bool,
) -> EncodedPrompts:
    ids, positions, numbers, masks = [sentence], [np.arange(len(sentence))], [0] * len(sentence), []
    for number, length in enumerate(lengths, start=1):
        prompt = [*head, *[tokenizer.mask_token_id] * length, *tail, tokenizer.sep_token_id]
        masks.append(len(numbers) + len(head) + np.arange(length))
        ids.append(np.array(prompt))
        positions.append(len(sentence) + np.arange(len(prompt)))
        numbers += [number] * len(prompt)
    return EncodedPrompts(
        np.concatenate(ids),
        truncated,
        np.concatenate(positions),
        np.array(numbers),
        np.concatenate(masks),
    )
