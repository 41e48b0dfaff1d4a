"""Instances as prompts: the sentence, then for each number of tokens a phrase may have one prompt.

``[CLS] @ Ada @ left # London #. [SEP] the Ada [MASK] [MASK] the London [SEP] ...``: a masked
language model says what stands in the masks. How many there are is part of the question, so
phrases of 2 and of 3 tokens need prompts of their own. All are packed into one sequence: the
sentence stands once and sees no prompt; each prompt sees the sentence and itself, and its places
go on where the sentence's end. So each is read as if it were alone, at a fraction of the cost.
What the sentence cannot learn from the prompts, which mentions are meant, the markers tell it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tkre.core.instance import Instance
from tkre.modeling.entity_markers import HEAD, HEAD_MARKER, TAIL, TAIL_MARKER, mark
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Ints, Tokenizer, covered, tokenised, window

# Tokens of a mention with its type, at most, in a prompt; of a longer one the first are kept.
MENTION_TOKENS = 24
# The lengths of phrases where a relation is one trained word.
ONE_MASK: Sequence[int] = (1,)


@dataclass(frozen=True)
class EncodedPrompts(Encoded):
    """A sentence and its prompts as T tokens with S masks.

    Attributes:
        input_ids: T token ids.
        positions: T places, counted from 0; every prompt's go on from the sentence's.
        prompts: T numbers of the prompts, counted from 1; 0 is the sentence.
        masks: S places of the mask tokens: those of the shortest phrases' prompt first.
        truncated: Whether tokens were cut off.
    """

    input_ids: Ints
    positions: Ints
    prompts: Ints
    masks: Ints
    truncated: bool


def encode_prompts(
    instances: Sequence[Instance],
    tokenizer: Tokenizer,
    lengths: Sequence[int],
    *,
    max_length: int,
    typed: bool,
) -> list[EncodedPrompts]:
    """Tokens of marked sentences with their prompts.

    Args:
        instances: In any order.
        tokenizer: A fast one with a mask token.
        lengths: Of the phrases, in tokens: one prompt each.
        max_length: Of the sentence, in tokens; of a longer one the window around both mentions is
            kept.
        typed: Whether markers and prompts hold the entity types, where an instance has them.
    """
    marked = [mark(instance, typed=typed) for instance in instances]
    texts = [text for text, _ in marked]
    results = []
    for instance, (_, places), (ids, offsets, special) in zip(
        instances, marked, tokenised(texts, tokenizer), strict=True
    ):
        needed = [places[row][0] for row in (HEAD_MARKER, TAIL_MARKER, HEAD, TAIL)]
        mentions = covered(offsets, needed) & ~special
        keep = window(mentions, special, max_length)
        sides = [
            phrase_ids(side, tokenizer)
            for side in (
                _side(instance.head_text, instance.head_type if typed else None),
                _side(instance.tail_text, instance.tail_type if typed else None),
            )
        ]
        cut = len(keep) < len(ids) or any(len(side) > MENTION_TOKENS for side in sides)
        head, tail = (side[:MENTION_TOKENS] for side in sides)
        results.append(_packed(ids[keep], head, tail, tokenizer, lengths, truncated=cut))
    return results


def phrases_of(config: ClassifierSettings) -> list[Sequence[int]]:
    """The tokens of every label's phrase, in the order of the labels; none where it has none."""
    return [config.phrases.get(config.id2label[n], []) for n in range(config.num_labels)]


def phrase_lengths(phrases: Sequence[Sequence[int]]) -> list[int]:
    """How many tokens phrases have: a prompt is needed for each number."""
    return sorted({len(phrase) for phrase in phrases})


def phrase_ids(phrase: str, tokenizer: Tokenizer) -> list[int]:
    """Tokens of words that stand inside a text: byte-level tokenizers tell them by the space."""
    ids: list[int] = tokenizer(f" {phrase}", add_special_tokens=False)["input_ids"]
    return ids


def _side(mention: str, kind: str | None) -> str:
    return f"the {kind.lower().replace('_', ' ')} {mention}" if kind else f"the {mention}"


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
        np.concatenate(positions),
        np.array(numbers),
        np.concatenate(masks),
        truncated=truncated,
    )
