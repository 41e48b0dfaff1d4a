"""Relations by what their definitions mean: classification without training.

Legend of shapes: B sentences, T tokens, H hidden size, R relations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tkre.corpora.schema import Relation
from tkre.modeling.contrastive import pool
from tkre.modeling.heads import Head
from tkre.modeling.roles import encode_roles
from tkre.modeling.tokens import Encoded, Tokenizer
from tkre.records import Instance


class PrototypeHead(Head):
    """Likeness of a sentence's embedding to the embeddings of what the relations mean.

    A definition speaks of "the head" and "the tail", so the sentence is made to do so as well:
    embeddings of sentences are first of all about who is named in them, and no definition names
    anybody.

    Args:
        config: A ``RelationClassifierConfig``.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.size = config.encoder_sizes().hidden_size
        self.temperature = config.temperature
        self.dropout = nn.Dropout(config.head_dropout)
        # The embeddings of ``definition_text``: set when the classifier is built, and trained where
        # it is trained.
        self.prototypes = nn.Parameter(torch.zeros(config.num_labels, self.size))

    def encode(self, instances: Sequence[Instance], tokenizer: Tokenizer) -> Sequence[Encoded]:
        """Sentences that speak of the head and the tail."""
        return encode_roles(instances, tokenizer, max_length=self.max_length, typed=self.typed)

    def read(
        self, encoder: Any, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, None]:
        """B x H: the mean of the last hidden states, as the prototypes are of the definitions."""
        output = encoder(input_ids=input_ids, attention_mask=attention_mask)
        return pool(output.last_hidden_state, attention_mask[:, None])[:, 0], None

    def classify(self, features: Tensor) -> Tensor:
        """B x R logits: cosines over the temperature."""
        sentences_BH = F.normalize(self.dropout(features).float(), dim=-1)
        return sentences_BH @ F.normalize(self.prototypes, dim=-1).T / self.temperature


def definition_text(relation: Relation) -> str:
    """What stands for a relation: its phrase between "the head" and "the tail", its definition."""
    return f"the head {relation.phrase} the tail: {relation.definition}"
