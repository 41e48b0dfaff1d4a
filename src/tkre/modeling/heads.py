"""Classifier heads: from an encoder's hidden states to scores of relations for a pair of mentions.

Heads over markers and spans need training; prototypes start from the relations' definitions, and
the heads of ``prompt_heads`` from their phrases.

Legend of shapes: B sentences, N training rows, T tokens, H hidden size, F features, R relations.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tkre.core.schema import Relation, RelationSchema
from tkre.modeling.entity_markers import BETWEEN, HEAD, HEAD_MARKER, TAIL, TAIL_MARKER
from tkre.modeling.losses import pool
from tkre.modeling.runtime import mask_for

logger = logging.getLogger(__name__)

LEAST_SPREAD = 1e-5  # smallest standard deviation of a feature that is standardised


@dataclass(frozen=True)
class Start:
    """Data that a new head may be initialised from.

    Attributes:
        schema: The relations, in the order of the labels.
        labels: N label numbers of the training rows.
        features: Computes the features of the training rows: N x F on the CPU.
        embed: Embeds texts with the encoder as it is before fine-tuning, on the CPU, H each.
        word_embeddings: The input embeddings of that encoder.
        fit: Fits a linear classifier (scikit-learn's) to features and labels; None for no probe.
    """

    schema: RelationSchema
    labels: Sequence[int]
    features: Callable[[], Tensor]
    embed: Callable[[Sequence[str]], Tensor]
    word_embeddings: nn.Module
    fit: Callable[[Any, Sequence[int]], Any] | None = None


class Head(nn.Module):
    """Scores relations for encoded sentences, with the help of an encoder.

    Args:
        config: A ``RelationClassifierConfig``.

    Attributes:
        masked_lm: Whether the encoder keeps its masked-LM head.
        size: F, number of features.
        dropout: Applied to the features before they are classified.
    """

    masked_lm: ClassVar[bool] = False
    size: int

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.head_dropout)

    def initialise(self, start: Start) -> None:
        """Sets parameters before training; by default they stay random.

        Args:
            start: Relations, training rows and encoder.
        """

    def read(
        self, encoder: Any, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """B x F features; B x T attention scores before the softmax, if the head attends.

        Args:
            encoder: The classifier's encoder, with its masked-LM head if ``masked_lm``.
            input_ids: B x T.
            attention_mask: B x T.
            **inputs: Further arrays of ``Encoded`` by name.
        """
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """B x R logits."""
        raise NotImplementedError


class MarkedHead(Head):
    """A head that pools the hidden states of marked sentences (``modeling.entity_markers``)."""

    def read(
        self, encoder: Any, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """The results of ``features`` for the encoder's hidden states."""
        output = encoder(
            input_ids=input_ids,
            attention_mask=mask_for(encoder, attention_mask),
            output_hidden_states=True,
        )
        return self.features(output.hidden_states, attention_mask, inputs["spans"])

    def features(
        self, states: tuple[Tensor, ...], attention_mask: Tensor, spans: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """B x F features; B x T attention scores before the softmax, if the head attends.

        Args:
            states: Hidden states of the embeddings and of every layer, each B x T x H.
            attention_mask: B x T.
            spans: B x ROWS x T flags.
        """
        raise NotImplementedError


class MarkerHead(MarkedHead):
    """The states of the two opening markers, and a perceptron (Zhou and Chen 2022, section 3)."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        hidden = config.encoder_sizes().hidden_size
        self.size = 2 * hidden
        self.dense = nn.Linear(self.size, hidden)
        self.output = nn.Linear(hidden, config.num_labels)

    def features(
        self, states: tuple[Tensor, ...], attention_mask: Tensor, spans: Tensor
    ) -> tuple[Tensor, None]:
        """B x 2H: the last layer's states of the head's and the tail's opening marker."""
        return pool(states[-1], spans[:, [HEAD_MARKER, TAIL_MARKER]]).flatten(1), None

    def classify(self, features: Tensor) -> Tensor:
        """B x R logits."""
        hidden = torch.relu(self.dense(self.dropout(features)))
        return self.output(self.dropout(hidden))


class SpanHead(MarkedHead):
    """Spans pooled from middle layers, standardised, and a linear layer.

    From each of the layers: mean over the head mention, mean over the tail mention, mean and
    maximum over the tokens between them. Middle layers still describe the mentions; the last ones
    of a sentence encoder describe the topic of the sentence.

    With ``by_order``, the tokens between the mentions have other features where the tail comes
    first, the rest being 0: a linear layer cannot learn else that the same words state a relation
    in one order and its inverse, or none, in the other.

    With ``before_mentions``, the two tokens before the opening marker of each mention have
    features, too. Prepositions there say which part a mention has, and the first one does not stand
    between the mentions: "The painting was sold to X by Y".

    With ``part_dropout`` p, the features of what is between are dropped in a share p of the
    training rows, those of the mentions in p/2: each has to tell the direction without the other.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        hidden = config.encoder_sizes().hidden_size
        self.layers = list(config.layers)
        self.attention = nn.Linear(hidden, 1) if config.trigger_attention else None
        self.by_order, self.before_mentions = config.by_order, config.before_mentions
        self.part_dropout = config.part_dropout
        # Vectors of a layer: of the mentions, of what is between them.
        self.vectors = (4 if self.before_mentions else 2, 4 if self.by_order else 2)
        of_layers = sum(self.vectors) * len(self.layers)
        self.size = hidden * (of_layers + bool(config.trigger_attention))
        # Not trained: ``standardise`` sets them once, from the training sentences.
        self.register_buffer("mean", torch.zeros(self.size))
        self.register_buffer("scale", torch.ones(self.size))
        self.output = nn.Linear(self.size, config.num_labels)

    def features(
        self, states: tuple[Tensor, ...], attention_mask: Tensor, spans: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """B x F standardised features; B x T attention scores, if the head attends."""
        between_BT1 = spans[:, BETWEEN].bool().unsqueeze(-1)
        if self.by_order:
            first_B2 = spans[:, [HEAD, TAIL]].float().argmax(dim=-1)
            head_first_B1 = first_B2[:, :1] <= first_B2[:, 1:]
        if self.before_mentions:
            markers_B2T = spans[:, [HEAD_MARKER, TAIL_MARKER]].float()
            before_B2T = F.pad(markers_B2T[..., 1:], (0, 1)) + F.pad(markers_B2T[..., 2:], (0, 2))
        pooled = []
        for layer in self.layers:
            state_BTH = states[layer]
            means_B3H = pool(state_BTH, spans[:, [HEAD, TAIL, BETWEEN]])
            lowest = torch.finfo(state_BTH.dtype).min
            maximum_BH = state_BTH.masked_fill(~between_BT1, lowest).amax(dim=1)
            # Mentions that touch have nothing between them: zero, like the mean.
            maximum_BH = maximum_BH * between_BT1.any(dim=1)
            between_B2H = torch.cat([means_B3H[:, 2], maximum_BH], dim=1)
            pooled.append(means_B3H[:, :2].flatten(1))
            if self.before_mentions:
                pooled.append(pool(state_BTH, before_B2T).flatten(1))
            if self.by_order:
                pooled += [between_B2H * head_first_B1, between_B2H * ~head_first_B1]
            else:
                pooled.append(between_B2H)
        scores_BT = None
        if self.attention is not None:
            state_BTH = states[self.layers[-1]]
            scores_BT = self.attention(state_BTH).squeeze(-1)
            scores_BT = scores_BT.masked_fill(attention_mask == 0, -torch.inf)
            pooled.append(torch.einsum("bt,bth->bh", scores_BT.softmax(dim=-1), state_BTH))
        features_BF = (torch.cat(pooled, dim=1) - self.mean) / self.scale
        if self.training and self.part_dropout:
            features_BF = self._without_parts(features_BF)
        return features_BF, scores_BT

    def _without_parts(self, features_BF: Tensor) -> Tensor:
        """Standardised features with 0, their mean, for the parts that are dropped."""
        mentions, between = self.vectors
        draws_B1 = torch.rand(len(features_BF), 1, device=features_BF.device)
        with_between_B1 = draws_B1 >= self.part_dropout
        with_mentions_B1 = draws_B1 <= 1 - self.part_dropout / 2
        kept = torch.cat(
            [with_mentions_B1.expand(-1, mentions), with_between_B1.expand(-1, between)], dim=1
        ).repeat(1, len(self.layers))
        hidden = self.size // (kept.shape[1] + (self.attention is not None))
        kept_BF = F.pad(kept.float().repeat_interleave(hidden, dim=1),
                        (0, self.size - hidden * kept.shape[1]), value=1.0)  # fmt: skip
        return features_BF * kept_BF

    def classify(self, features: Tensor) -> Tensor:
        """B x R logits."""
        return self.output(self.dropout(features))

    @torch.no_grad()
    def initialise(self, start: Start) -> None:
        """Standardises the features, and sets the last layer to a linear probe if there is one.

        A label without a row starts as unlikely as the least likely one.
        """
        features = self.standardise(start.features().to(self.mean.device))
        if start.fit is None:
            return
        if len(set(start.labels)) < 2:
            logger.warning(
                "the rows show fewer than two relations: the head starts without a probe"
            )
            return
        probe = start.fit(features.cpu().numpy(), start.labels)
        weight, bias = probe.coef_, probe.intercept_
        if len(probe.classes_) == 2:  # one logit z for both: their softmax is that of -z/2 and z/2
            weight, bias = (np.concatenate([-part / 2, part / 2]) for part in (weight, bias))
        self.output.weight.zero_()
        self.output.bias.fill_(float(bias.min()))
        self.output.weight[probe.classes_] = torch.from_numpy(weight).to(self.output.weight)
        self.output.bias[probe.classes_] = torch.from_numpy(bias).to(self.output.bias)

    @torch.no_grad()
    def standardise(self, features: Tensor) -> Tensor:
        """Sets mean and scale from features and returns these standardised.

        Args:
            features: N x F features of the training sentences.
        """
        raw = features * self.scale + self.mean
        self.mean.copy_(raw.mean(dim=0))
        spread = raw.std(dim=0)
        # A feature that no training sentence has: of a tail that comes first, for instance.
        self.scale.copy_(torch.where(spread < LEAST_SPREAD, 1.0, spread))
        return (raw - self.mean) / self.scale


class PrototypeHead(Head):
    """Likeness of a sentence's embedding to the embeddings of the relations' definitions.

    The mentions of the sentence are replaced by "the head" and "the tail", the words of the
    definitions: embeddings of sentences depend most on the names in them, and definitions have
    none.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.size = config.encoder_sizes().hidden_size
        self.temperature = config.temperature
        self.prototypes = nn.Parameter(torch.zeros(config.num_labels, self.size))

    @torch.no_grad()
    def initialise(self, start: Start) -> None:
        """Sets the prototypes to the embeddings of the relations' phrases and definitions."""
        relations = [start.schema.relations[name] for name in start.schema.names]
        self.prototypes.copy_(start.embed([definition_text(relation) for relation in relations]))

    def read(
        self, encoder: Any, input_ids: Tensor, attention_mask: Tensor, **inputs: Tensor
    ) -> tuple[Tensor, None]:
        """B x H: the mean of the last hidden states, as in the prototypes."""
        output = encoder(input_ids=input_ids, attention_mask=attention_mask)
        return pool(output.last_hidden_state, attention_mask[:, None])[:, 0], None

    def classify(self, features: Tensor) -> Tensor:
        """B x R logits: cosines over the temperature."""
        sentences_BH = F.normalize(self.dropout(features).float(), dim=-1)
        return sentences_BH @ F.normalize(self.prototypes, dim=-1).T / self.temperature


def definition_text(relation: Relation) -> str:
    """A relation as a text: its phrase between "the head" and "the tail", and its definition."""
    return f"the head {relation.phrase} the tail: {relation.definition}"
