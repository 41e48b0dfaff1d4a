"""Inference with torch: probabilities of relations, features of instances, embeddings of texts."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.core.text import find_phrase
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.params import Precision
from tkre.modeling.runtime import autocast, to_tensors, use_bf16
from tkre.modeling.tokenization import Encoded, Tokenizer
from tkre.training.batching import Batch, log_truncation, scoring_batches, sorted_batches
from tkre.training.scoring import SMALL_BATCH, TOKENS_PER_BATCH, Probabilities, Scorer, score

EMBEDDED_TOKENS = 256  # limit of a text that is embedded
GPU_TOKENS_PER_BATCH = 32768


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode; the mode of before is restored."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


@torch.no_grad()
def embed(
    encoder: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    description: str = "texts",
    *,
    max_length: int = EMBEDDED_TOKENS,
) -> Tensor:
    """Embeds each text as the mean of the encoder's last hidden states.

    Args:
        encoder: A bare Hugging Face encoder.
        tokenizer: Its fast tokenizer.
        texts: Texts in any order.
        description: Name of the texts in the log of truncated texts.
        max_length: Limit in tokens; a longer text is cut at its end.

    Returns:
        N x H on the CPU.
    """
    encoded = [tokenizer(text, truncation=True, max_length=max_length) for text in texts]
    log_truncation([bool(e.encodings[0].overflowing) for e in encoded], description)
    vectors: list[Tensor] = [torch.empty(0)] * len(texts)
    with evaluating(encoder):
        for batch in sorted_batches([len(e["input_ids"]) for e in encoded], 2 * TOKENS_PER_BATCH):
            padded = tokenizer.pad(
                {"input_ids": [encoded[n]["input_ids"] for n in batch]}, return_tensors="pt"
            ).to(encoder.device)
            states = encoder(**padded).last_hidden_state
            weights = padded["attention_mask"].unsqueeze(-1).to(states.dtype)
            means = (states * weights).sum(dim=1) / weights.sum(dim=1)
            for n, vector in zip(batch, means.cpu(), strict=True):
                vectors[n] = vector
    return torch.stack(vectors)


def embed_explanations(
    start: Checkpoint, rows: Sequence[Instance], schema: RelationSchema
) -> tuple[Tensor, Tensor]:
    """Embeds the definitions of the relations and their explanations without entity names.

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
    heads = find_phrase(text, row.head_text, name=True)
    tails = find_phrase(text, row.tail_text, name=True)
    names = [(span, "the first entity") for span in heads] + [
        (span, "the second entity") for span in tails if not any(map(span.overlaps, heads))
    ]
    replaced, last = "", 0
    for span, name in sorted(names):
        replaced = _apart(_apart(replaced, text[last : span.start]), name)
        last = span.end
    return _apart(replaced, text[last:])


def _apart(text: str, more: str) -> str:
    """Two texts in a row, with a blank between letters: there is none around a Chinese name."""
    ends = text[-1:] or " ", more[:1] or " "
    return text + " " * all(unicodedata.category(c)[0] in "LMN" for c in ends) + more


@contextmanager
def scorer(model: RelationClassifier, precision: Precision = "auto") -> Iterator[Scorer]:
    """A classifier that is ready to predict.

    Args:
        model: The classifier.
        precision: Precision of the matrix products; ``auto`` is bf16 where the machine has it.
    """
    with evaluating(model), torch.inference_mode(), autocast(model.device, precision):
        yield _TorchScorer(model, bf16=use_bf16(precision))


def predict(
    model: RelationClassifier,
    tokenizer: Tokenizer,
    instances: Sequence[Instance],
    *,
    precision: Precision = "auto",
    description: str | None = None,
    natural: bool = False,
) -> Probabilities:
    """The probabilities of ``scoring.score``, by torch: N x R."""
    with scorer(model, precision) as ready:
        return score(ready, tokenizer, instances, description, natural=natural).probabilities


class _TorchScorer:
    """A classifier as a ``scoring.Scorer``: arrays in, arrays out."""

    def __init__(self, model: RelationClassifier, *, bf16: bool) -> None:
        self._model = model
        self.config = model.config
        self.padding = model.padding
        self.threads = 1  # torch divides each batch
        small = model.device.type == "cpu" and not bf16
        self.tokens_per_batch = SMALL_BATCH if small else tokens_per_batch(model.device)
        self.encode = model.encode

    def probabilities(self, batch: Batch) -> Probabilities:
        logits = self._model(**to_tensors(batch, self._model.device)).logits.double()
        probabilities: Probabilities = logits.softmax(dim=-1).cpu().numpy()
        return probabilities


def tokens_per_batch(device: torch.device) -> int:
    """Most tokens of a batch on a device."""
    return TOKENS_PER_BATCH if device.type == "cpu" else GPU_TOKENS_PER_BATCH


def features_of(
    model: RelationClassifier, tokenizer: PreTrainedTokenizerBase, instances: Sequence[Instance]
) -> npt.NDArray[np.float64]:
    """N x F features that the head classifies; the relations of the instances are not read."""
    with evaluating(model):
        features = features_of_encoded(model, model.encode(instances, tokenizer))
    return features.double().numpy()


@torch.no_grad()
def features_of_encoded(model: RelationClassifier, encoded: Sequence[Encoded]) -> Tensor:
    """The features of encoded rows: N x F on the CPU. The model stays in evaluation mode."""
    model.eval()
    features = torch.empty(len(encoded), model.head.size)
    tokens = tokens_per_batch(model.device)
    for numbers, batch in scoring_batches(encoded, model.padding, tokens):
        inputs = to_tensors(batch, model.device)
        features[numbers] = model.features(**inputs)[0].float().cpu()
    return features
