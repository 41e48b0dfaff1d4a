"""Inference with torch: probabilities of relations, features of instances, embeddings of texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.runtime import Precision, autocast, to_tensors
from tkre.modeling.tokenization import Encoded, Tokenizer
from tkre.training.batching import Batch, log_truncation, scoring_batches, sorted_batches
from tkre.training.scoring import TOKENS_PER_BATCH, Probabilities, Scores, score

EMBEDDED_TOKENS = 256  # of a text that is embedded


@torch.no_grad()
def embed(
    encoder: Any,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    description: str = "texts",
    *,
    max_length: int = EMBEDDED_TOKENS,
    tokens: int = 2 * TOKENS_PER_BATCH,
) -> Tensor:
    """Embeds each text as the mean of the encoder's last hidden states.

    Args:
        encoder: A bare Hugging Face encoder; it is put into evaluation mode for the pass.
        tokenizer: Its own, a fast one.
        texts: In any order.
        description: Name of the texts in the log of how many are too long.
        max_length: Longest text in tokens; a longer one is cut at its end.
        tokens: Most tokens of a batch, padding included.

    Returns:
        N x H on the CPU.
    """
    was_training = encoder.training
    encoder.eval()
    encoded = [tokenizer(text, truncation=True, max_length=max_length) for text in texts]
    log_truncation([bool(e.encodings[0].overflowing) for e in encoded], description)
    vectors: list[Tensor] = [torch.empty(0)] * len(texts)
    for batch in sorted_batches([len(e["input_ids"]) for e in encoded], tokens):
        padded = tokenizer.pad(
            {"input_ids": [encoded[n]["input_ids"] for n in batch]}, return_tensors="pt"
        ).to(encoder.device)
        states = encoder(**padded).last_hidden_state
        weights = padded["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * weights).sum(dim=1) / weights.sum(dim=1)
        for n, vector in zip(batch, means.cpu(), strict=True):
            vectors[n] = vector
    encoder.train(was_training)
    return torch.stack(vectors)


def embed_explanations(
    start: Checkpoint, rows: Sequence[Instance], schema: RelationSchema
) -> tuple[Tensor, Tensor]:
    """Embeds what explains the relations: definitions, and explanations without entity names.

    Args:
        start: A masked language model.
        rows: Labelled rows; those with an explanation are used.
        schema: The relations.

    Returns:
        M x H vectors on the CPU; M label numbers.
    """
    texts, labels = [], []
    for n, name in enumerate(schema.names):
        explanations = [without_names(r) for r in rows if r.relation == name and r.explanation]
        texts += [schema.relations[name].definition, *explanations]
        labels += [n] * (1 + len(explanations))
    explained = "definitions and explanations"
    vectors = embed(start.model.base_model, start.tokenizer, texts, explained)
    return vectors, torch.tensor(labels)


def without_names(row: Instance) -> str:
    """An explanation with its mentions replaced by "the first entity" and "the second entity".

    With the names it explains this row; without them it explains the relation.
    """
    text = row.explanation or ""
    for mention, name in (
        (row.head_text, "the first entity"),
        (row.tail_text, "the second entity"),
    ):
        text = re.sub(rf"(?<!\w){re.escape(mention)}(?!\w)", name, text, flags=re.IGNORECASE)
    return text


GPU_TOKENS_PER_BATCH = 32768


def predict(
    model: RelationClassifier,
    tokenizer: Tokenizer,
    instances: Sequence[Instance],
    *,
    precision: Precision = "auto",
    description: str | None = None,
) -> Probabilities:
    """The probabilities of ``predict_scores``: N x R."""
    scores = predict_scores(
        model, tokenizer, instances, precision=precision, description=description
    )
    return scores.probabilities


def predict_scores(
    model: RelationClassifier,
    tokenizer: Tokenizer,
    instances: Sequence[Instance],
    *,
    precision: Precision = "auto",
    description: str | None = None,
) -> Scores:
    """The probability of every relation for every instance.

    Args:
        model: The classifier; it is put into evaluation mode for the pass.
        tokenizer: Its own.
        instances: Their relations are not looked at.
        precision: Precision of the matrix products; ``auto`` is bf16 where the machine has it.
        description: Name of the rows in the log of how many are too long; None logs nothing.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode(), autocast(model.device, precision):
        scores = score(_TorchScorer(model), tokenizer, instances, description)
    model.train(was_training)
    return scores


def model_batches(
    model: RelationClassifier, encoded: Sequence[Encoded]
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Row numbers and tensors of batches of like length, on the model's device."""
    for numbers, batch in scoring_batches(encoded, model.padding, tokens_per_batch(model.device)):
        yield numbers, to_tensors(batch, model.device)


def tokens_per_batch(device: torch.device) -> int:
    """How many tokens a device reads at once; a GPU is not filled by what fills a core."""
    return TOKENS_PER_BATCH if device.type == "cpu" else GPU_TOKENS_PER_BATCH


class _TorchScorer:
    """A classifier as a ``scoring.Scorer``: arrays in, arrays out."""

    def __init__(self, model: RelationClassifier) -> None:
        self._model = model
        self.config = model.config
        self.padding = model.padding
        self.tokens_per_batch = tokens_per_batch(model.device)
        self.encode = model.encode

    def probabilities(self, batch: Batch) -> Probabilities:
        logits = self._model(**to_tensors(batch, self._model.device)).logits.double()
        probabilities: Probabilities = logits.softmax(dim=-1).cpu().numpy()
        return probabilities


def features_of(
    model: RelationClassifier, tokenizer: PreTrainedTokenizerBase, instances: Sequence[Instance]
) -> npt.NDArray[np.float64]:
    """The features that the head classifies, for instances.

    Args:
        model: The classifier; it is put into evaluation mode for the pass.
        tokenizer: Its own.
        instances: Their relations are not looked at.

    Returns:
        N x F, rows in the order of the instances.
    """
    encoded = model.encode(instances, tokenizer)
    was_training = model.training
    model.eval()
    features = features_of_encoded(model, encoded)
    model.train(was_training)
    return features.double().numpy()


@torch.no_grad()
def features_of_encoded(model: RelationClassifier, encoded: Sequence[Encoded]) -> Tensor:
    """The features of encoded rows: N x F on the CPU. The model stays in evaluation mode."""
    model.eval()
    features = torch.empty(len(encoded), model.head.size)
    for numbers, batch in model_batches(model, encoded):
        features[numbers] = model.features(**batch)[0].float().cpu()
    return features
