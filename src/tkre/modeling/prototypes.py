"""Relations by what their definitions mean: classification without training.

Legend of shapes: B sentences, T tokens, H hidden size, R relations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedTokenizerBase

from tkre.corpora.schema import Relation
from tkre.modeling.contrastive import pool
from tkre.modeling.heads import Head
from tkre.modeling.marking import Encoded, tokenised, window
from tkre.modeling.span_masking import covered
from tkre.records import Instance, Span

# Cosines of a sentence with two definitions differ by some hundredths.
TEMPERATURE = 0.05


@dataclass(frozen=True)
class EncodedRoles(Encoded):
    """A sentence with "the head" and "the tail" for its mentions, as T tokens.

    Attributes:
        input_ids: T token ids.
        truncated: Whether tokens were cut off.
    """

    input_ids: npt.NDArray[np.int64]
    truncated: bool


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

    def encode(
        self, instances: Sequence[Instance], tokenizer: PreTrainedTokenizerBase
    ) -> Sequence[Encoded]:
        """Sentences that speak of the head and the tail."""
        told = [in_roles(instance, typed=self.typed) for instance in instances]
        results = []
        for (_, roles), (ids, offsets, special) in zip(
            told, tokenised([text for text, _ in told], tokenizer), strict=True
        ):
            keep = window(covered(offsets, roles) & ~special, special, self.max_length)
            results.append(EncodedRoles(ids[keep], truncated=len(keep) < len(ids)))
        return results

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
