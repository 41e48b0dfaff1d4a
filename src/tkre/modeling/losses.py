"""Losses: span contrast (SCL, the paper's second stage), explanation alignment, trigger attention.

Legend of shapes: B texts or sentences, T tokens, H hidden size, D dimension of the contrast, R
relations, S other spans per text, N negatives per text, F features, M explaining texts.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tkre.modeling.params import ContrastParams


class SpanContrast(nn.Module):
    """Pulls the triple of a text to the anchor of its relation, and pushes away negatives.

    A triple has three pooled spans: head mention, tail mention, relation span. For a text of
    relation r with anchor a_r and triple p, the loss is

    ``-log( exp(sim(a_r, p)/tau) / (exp(sim(a_r, p)/tau) + sum_n exp(sim(a_r, n)/tau)) )``

    with cosine similarity. Negatives n are the triples of the batch's texts of other relations, the
    text's triple with another of its spans for the relation span, and its triple with head and tail
    exchanged, if the relation has a direction.

    Args:
        definitions: R x H embeddings of the relations' definitions; the anchors start there.
        symmetric: R flags of the relations that hold in both directions.
        params: Temperature, dimension, kinds of negatives.
    """

    symmetric: Tensor

    def __init__(self, definitions: Tensor, symmetric: Tensor, params: ContrastParams) -> None:
        super().__init__()
        self.params = params
        hidden = definitions.shape[1]
        self.anchors = nn.Parameter(definitions.clone())
        self.project_anchor = nn.Linear(hidden, params.dimension)
        self.project_triple = nn.Linear(3 * hidden, params.dimension)
        self.register_buffer("symmetric", symmetric, persistent=False)

    def forward(
        self, hidden_BTH: Tensor, spans_B3T: Tensor, others_BST: Tensor, labels_B: Tensor
    ) -> Tensor:
        """The mean loss over the texts that have all three spans; 0 if none has.

        Args:
            hidden_BTH: Last hidden states.
            spans_B3T: Flags of the tokens of the head, the tail and the relation span.
            others_BST: Flags of the tokens of other spans; an empty one is no negative.
            labels_B: Number of each text's relation.
        """
        head, tail, relation = pool(hidden_BTH, spans_B3T).unbind(dim=1)
        anchors_BD = F.normalize(self.project_anchor(self.anchors[labels_B]), dim=-1)
        triples_BD = self._triple(head, tail, relation)
        # Row i compares the anchor of text i's relation with the triples of all texts.
        scores_BB = anchors_BD @ triples_BD.T / self.params.temperature
        complete_B = spans_B3T.any(dim=-1).all(dim=-1)
        other_relation_BB = labels_B[:, None] != labels_B[None, :]
        negatives = [scores_BB.masked_fill(~(other_relation_BB & complete_B[None, :]), -torch.inf)]
        if self.params.inverted_negatives:
            inverted_B = (anchors_BD * self._triple(tail, head, relation)).sum(dim=-1)
            inverted_B = inverted_B / self.params.temperature
            negatives.append(inverted_B.masked_fill(self.symmetric[labels_B], -torch.inf)[:, None])
        if others_BST.shape[1]:
            others_BSH = pool(hidden_BTH, others_BST)
            heads_BSH, tails_BSH = (t[:, None].expand_as(others_BSH) for t in (head, tail))
            triples_BSD = self._triple(heads_BSH, tails_BSH, others_BSH)
            others_BS = torch.einsum("bd,bsd->bs", anchors_BD, triples_BSD)
            others_BS = others_BS / self.params.temperature
            negatives.append(others_BS.masked_fill(~others_BST.any(dim=-1), -torch.inf))
        loss_B = self.losses(scores_BB.diagonal(), torch.cat(negatives, dim=1))
        # Rows without a span are left out: their zero vectors mean nothing. sum() keeps the graph
        # where no row is complete.
        return (loss_B * complete_B).sum() / complete_B.sum().clamp(min=1)

    def losses(self, positive_B: Tensor, negatives_BN: Tensor) -> Tensor:
        """The loss of each text; variants of the loss may override this method alone.

        Args:
            positive_B: Similarity of the anchor to the text's triple, over the temperature.
            negatives_BN: Similarities to N negatives, over the temperature; minus infinity for
                none.
        """
        all_B1N = torch.cat([positive_B[:, None], negatives_BN], dim=1)
        return all_B1N.logsumexp(dim=1) - positive_B

    def _triple(self, head: Tensor, tail: Tensor, relation: Tensor) -> Tensor:
        return F.normalize(self.project_triple(torch.cat([head, tail, relation], dim=-1)), dim=-1)


def pool(hidden_BTH: Tensor, flags_BST: Tensor) -> Tensor:
    """Mean hidden state of each span's tokens, by one matrix product; zeros for an empty span.

    Args:
        hidden_BTH: Hidden states.
        flags_BST: Flags of the tokens of each of S spans.

    Returns:
        B x S x H.
    """
    weights = flags_BST.to(hidden_BTH.dtype)
    weights = weights / weights.sum(dim=-1, keepdim=True).clamp(min=1)
    return weights @ hidden_BTH


class Alignment(nn.Module):
    """Pulls a sentence's features to frozen embeddings of explaining texts (InfoNCE).

    Positives are the explanations and the definition of the sentence's relation, negatives those
    of all other relations. Not in the paper.

    Args:
        texts: M x H embeddings of explanations and definitions.
        labels: M label numbers.
        features: F, size of the classifier's features.
        temperature: Divisor of the similarities.
    """

    texts: Tensor
    labels: Tensor

    def __init__(self, texts: Tensor, labels: Tensor, features: int, temperature: float) -> None:
        super().__init__()
        self.register_buffer("texts", F.normalize(texts, dim=-1))
        self.register_buffer("labels", labels)
        self.project = nn.Linear(features, texts.shape[1])
        self.temperature = temperature

    def forward(
        self, features_BF: Tensor, labels_B: Tensor, weights_B: Tensor | None = None
    ) -> Tensor:
        """Mean over the batch of ``-log(sum over positives / sum over all)``, times the weights."""
        projected_BH = F.normalize(self.project(features_BF), dim=-1)
        scores_BM = projected_BH @ self.texts.T / self.temperature
        positive_BM = labels_B[:, None] == self.labels[None, :]
        positives_B = scores_BM.masked_fill(~positive_BM, -torch.inf).logsumexp(dim=1)
        each_B = scores_BM.logsumexp(dim=1) - positives_B
        return (each_B if weights_B is None else weights_B * each_B).mean()


def attention_loss(
    scores_BT: Tensor, triggers_BT: Tensor, weights_B: Tensor | None = None
) -> Tensor:
    """Cross-entropy of the attention to an even share for each trigger token.

    Rows without a trigger are left out; without any such row the loss is 0.

    Args:
        scores_BT: Attention scores before the softmax, minus infinity at padding.
        triggers_BT: Flags of the trigger tokens.
        weights_B: Weights of the rows; None is 1 for each.
    """
    target_BT = triggers_BT.float()
    count_B = target_BT.sum(dim=1)
    logs_BT = scores_BT.float().log_softmax(dim=-1)
    # 0 * -inf at padding would be NaN.
    logs_BT = logs_BT.masked_fill(target_BT == 0, 0.0)
    each_B = -(target_BT * logs_BT).sum(dim=1) / count_B.clamp(min=1)
    if weights_B is not None:
        each_B = weights_B * each_B
    return each_B.sum() / (count_B > 0).sum().clamp(min=1)


Contrast = Callable[[Tensor, Tensor, ContrastParams], nn.Module]
