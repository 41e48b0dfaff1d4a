"""Explanation alignment: a sentence near to what explains its relation. Not in the paper."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint
from tkre.training.inference import embed
from tkre.training.params import AlignmentParams


class Alignment(nn.Module):
    """Pulls a sentence's features to frozen embeddings of what explains its relation (InfoNCE).

    Positives are the explanations and the definition of the sentence's relation, negatives those
    of all other relations. Not in the paper.

    Args:
        texts: M x H embeddings of explanations and definitions.
        labels: M label numbers.
        features: F, size of the classifier's features.
        temperature: Of the similarities.
    """

    texts: Tensor
    labels: Tensor

    def __init__(self, texts: Tensor, labels: Tensor, features: int, temperature: float) -> None:
        super().__init__()
        self.register_buffer("texts", F.normalize(texts, dim=-1))
        self.register_buffer("labels", labels)
        self.project = nn.Linear(features, texts.shape[1])
        self.temperature = temperature

    def forward(self, features_BF: Tensor, labels_B: Tensor) -> Tensor:
        """Mean over the batch of ``-log(sum over positives / sum over all)``."""
        projected_BH = F.normalize(self.project(features_BF), dim=-1)
        scores_BM = projected_BH @ self.texts.T / self.temperature
        positive_BM = labels_B[:, None] == self.labels[None, :]
        positives_B = scores_BM.masked_fill(~positive_BM, -torch.inf).logsumexp(dim=1)
        return (scores_BM.logsumexp(dim=1) - positives_B).mean()


def explanation_alignment(
    start: Checkpoint,
    rows: Sequence[Instance],
    schema: RelationSchema,
    features: int,
    params: AlignmentParams | None,
) -> Alignment | None:
    """The alignment to the explanations of the rows and the definitions of the schema.

    Args:
        start: Embeds the texts, as it is before fine-tuning.
        rows: Those with an explanation are used.
        schema: The relations.
        features: Size of the classifier's features.
        params: None gives None.
    """
    if params is None:
        return None
    texts, labels = [], []
    for n, name in enumerate(schema.names):
        texts.append(schema.relations[name].definition)
        labels.append(n)
        explained = [r for r in rows if r.relation == name and r.explanation]
        texts += [without_names(r) for r in explained]
        labels += [n] * len(explained)
    embedded = embed(start.model.base_model, start.tokenizer, texts)
    return Alignment(embedded, torch.tensor(labels), features, params.temperature)


def without_names(row: Instance) -> str:
    """An explanation with its mentions made "the first entity" and "the second entity".

    Their names would make it an explanation of this row; without them it explains the relation.
    """
    text = row.explanation or ""
    for mention, name in (
        (row.head_text, "the first entity"),
        (row.tail_text, "the second entity"),
    ):
        text = re.sub(rf"(?<!\w){re.escape(mention)}(?!\w)", name, text, flags=re.IGNORECASE)
    return text
