"""Prompt tuning on a masked language model: by phrases (GenPT, Han et al. 2022), by trained words.

Legend of shapes: B sentences, T tokens, H hidden size, S masks, V vocabulary, P tokens of all
phrases, R relations.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tkre.core.errors import UserError
from tkre.modeling.backbone import before_vocabulary, masked_lm_head
from tkre.modeling.heads import Head, Start
from tkre.modeling.prompts import phrase_lengths, phrases_of

# Architectures that read packed prompts as they read them alone: positions are absolute and can be
# given, and attention follows the mask. Their values: whether positions are counted from the number
# after the padding token's (RoBERTa) or from 0 (BERT).
PACKABLE = {"bert": False, "roberta": True, "camembert": True, "xlm-roberta": True}


class MaskHead(Head):
    """A head that reads the states at the masks of packed prompts.

    Args:
        config: A ``RelationClassifierConfig`` with ``phrases``.

    Raises:
        UserError: The encoder's architecture cannot read packed prompts, or a label has no phrase.
    """

    masked_lm: ClassVar[bool] = True

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        encoder = config.encoder_sizes()
        if encoder.model_type not in PACKABLE:
            raise UserError(
                f"head {config.head!r} reads {', '.join(PACKABLE)}, not {encoder.model_type}: its "
                "prompts are packed into one sequence. Take another backbone, or another head"
            )
        self.first_place = encoder.pad_token_id + 1 if PACKABLE[encoder.model_type] else 0
        self.phrases = phrases_of(config)
        if not all(self.phrases):
            raise UserError(
                f"head {config.head!r} needs a phrase of at least one token for every label"
            )
        self.bias = nn.Parameter(torch.zeros(config.num_labels))

    def at_masks(
        self, encoder: Any, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> Tensor:
        """B x S x H: the last hidden states at the masks.

        Args:
            encoder: A masked language model.
            input_ids: B x T (``modeling.prompts``).
            attention_mask: B x T.
            **inputs: ``positions`` and ``prompts``, B x T; ``masks``, B x S.
        """
        states_BTH = encoder.base_model(
            input_ids=input_ids,
            attention_mask=visible(attention_mask, inputs["prompts"], encoder.dtype),
            position_ids=inputs["positions"] + self.first_place,
        ).last_hidden_state
        masks_BSH = inputs["masks"][:, :, None].expand(-1, -1, states_BTH.shape[2])
        at_masks: Tensor = states_BTH.gather(1, masks_BSH)
        return at_masks


class PromptHead(MaskHead):
    """Scores a relation by how well its phrase fits between head and tail.

    The score is the mean log-probability of the phrase's tokens at the masks of the prompt of
    their number: a sum would favour short phrases. Common words are likely after every sentence,
    so each relation has a bias. One scale serves all relations: one for each would be learned from
    K samples, and could invert a score.
    """

    slots: Tensor
    tokens: Tensor
    relations: Tensor
    shares: Tensor

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        lengths = phrase_lengths(self.phrases)
        first = {n: sum(lengths[:i]) for i, n in enumerate(lengths)}
        parts = [
            (first[len(phrase)] + n, token, relation, 1 / len(phrase))
            for relation, phrase in enumerate(self.phrases)
            for n, token in enumerate(phrase)
        ]
        for name, values in zip(
            ("slots", "tokens", "relations", "shares"), zip(*parts, strict=True), strict=True
        ):
            self.register_buffer(name, torch.tensor(values))
        self.size = config.num_labels
        self.dropout = nn.Dropout(0.0)  # the encoder's own is all there is
        self.scale = nn.Parameter(torch.ones(1))

    def read(
        self, encoder: Any, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, None]:
        """B x R mean log-probabilities of the phrases; arguments as in ``at_masks``."""
        # The vocabulary is large: its logits are computed at the masks alone, in full there, since
        # a probability needs their sum.
        states_BSH = self.at_masks(encoder, input_ids, attention_mask, **inputs)
        logits_BSV = masked_lm_head(encoder)(states_BSH).float()
        totals_BS = logits_BSV.logsumexp(dim=-1)
        logs_BP = logits_BSV[:, self.slots, self.tokens] - totals_BS[:, self.slots]
        scores_BR = logs_BP.new_zeros(logs_BP.shape[0], self.size)
        return scores_BR.index_add(1, self.relations, logs_BP * self.shares), None

    def classify(self, features: Tensor) -> Tensor:
        """B x R logits."""
        return self.scale * features + self.bias


class KnowPromptHead(MaskHead):
    """One mask between head and tail, and for every relation a word that could stand there.

    After KnowPrompt (Chen et al. 2022): the words are not in the vocabulary. Each is a vector that
    starts as the mean of the embeddings of its phrase's tokens and is trained. KnowPrompt's
    trained entity types are left out: types are part of the prompt in words.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.size = config.encoder_sizes().hidden_size
        self.virtual_words = nn.Parameter(torch.zeros(config.num_labels, self.size))

    @torch.no_grad()
    def initialise(self, start: Start) -> None:
        """Sets each word to the mean of the word embeddings of its phrase's tokens.

        The input embeddings of the encoder are also those of its masked-LM head.
        """
        for relation, phrase in enumerate(self.phrases):
            tokens = torch.tensor(phrase, device=self.virtual_words.device)
            self.virtual_words[relation] = start.word_embeddings(tokens).mean(dim=0)

    def read(
        self, encoder: Any, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, None]:
        """B x H vectors that the masked-LM head compares with words; see ``at_masks``."""
        states_BSH = self.at_masks(encoder, input_ids, attention_mask, **inputs)
        return before_vocabulary(encoder, states_BSH[:, 0]), None

    def classify(self, features: Tensor) -> Tensor:
        """B x R logits."""
        return self.dropout(features) @ self.virtual_words.T + self.bias


def visible(attention_mask: Tensor, prompts: Tensor, dtype: torch.dtype) -> Tensor:
    """Additive attention mask of packed prompts: 0, or the lowest value of the type.

    Args:
        attention_mask: B x T, 0 at padding.
        prompts: B x T numbers of the prompts, 0 for the sentence.
        dtype: Type of the attention scores.

    Returns:
        B x 1 x T x T: rows attend to columns.
    """
    sentence_B1T = (prompts == 0)[:, None, :]
    same_BTT = prompts[:, :, None] == prompts[:, None, :]
    allowed_BTT = (sentence_B1T | same_BTT) & attention_mask.bool()[:, None, :]
    scores = torch.zeros(allowed_BTT.shape, dtype=dtype, device=prompts.device)
    return scores.masked_fill(~allowed_BTT, torch.finfo(dtype).min)[:, None]
