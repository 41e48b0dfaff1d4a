"""Probabilities of relations for instances, in large batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput

from tkre.modeling.classifier_config import RelationClassifierConfig
from tkre.modeling.marking import Encoded
from tkre.modeling.precision import Precision, autocast
from tkre.records import Instance
from tkre.training.batching import pad, sorted_batches, tell_truncated

TOKENS_PER_BATCH = 4096
Probabilities = npt.NDArray[np.float64]


class Scorer(Protocol):
    """What prediction needs of a classifier: trained by torch, or exported.

    Attributes:
        config: Labels and the rules over their probabilities.
        device: Where its inputs are wanted.
        training: Whether it is in training mode.
    """

    config: RelationClassifierConfig
    training: bool

    @property
    def device(self) -> torch.device: ...  # noqa: D102

    @property
    def padding(self) -> int:
        """The padding token of its encoder."""

    def encode(
        self, instances: Sequence[Instance], tokenizer: PreTrainedTokenizerBase
    ) -> Sequence[Encoded]:
        """Instances as tokens, in the form that it reads."""

    def __call__(self, **inputs: Tensor) -> SequenceClassifierOutput: ...  # noqa: D102

    def eval(self) -> Self:
        """Into evaluation mode."""

    def train(self, mode: bool = True) -> Self:
        """Into training mode, or out of it."""


def predict(
    model: Scorer,
    tokenizer: PreTrainedTokenizerBase,
    instances: Sequence[Instance],
    *,
    precision: Precision = "auto",
    description: str | None = None,
) -> Probabilities:
    """The probability of every relation for every instance.

    Args:
        model: The classifier; it is put into evaluation mode for the pass.
        tokenizer: Its own.
        instances: Their relations are not looked at.
        precision: Of the matrix products; ``auto`` is bf16 where the machine has it. An exported
            model has its own.
        description: Names the rows where it is said how many are too long; None says nothing.

    Returns:
        N x R, rows in the order of the instances, columns in that of the labels.
    """
    probabilities = _read(model, tokenizer, instances, precision, description)
    if model.config.both_directions:
        exchanged = [instance.exchanged() for instance in instances]
        backward = _read(model, tokenizer, exchanged, precision)
        probabilities = both_ways(probabilities, backward, model)
    return ruled_out_by_types(probabilities, instances, model)


def labels_of(probabilities: Probabilities, model: Scorer) -> list[str]:
    """The label that is predicted for each row of probabilities.

    The likeliest one, or the negative label where none reaches ``least_probability``: a few
    examples of "none of the others" cannot show all that it covers, so pairs that are like
    nothing seen are told by doubt rather than by likeness.
    """
    labels, negative = model.config.id2label, model.config.negative
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1, initial=0.0) >= model.config.least_probability
    return [
        labels[int(n)] if certain or negative is None else negative
        for n, certain in zip(best, sure, strict=True)
    ]


def both_ways(forward: Probabilities, backward: Probabilities, model: Scorer) -> Probabilities:
    """The mean of two readings of each pair, where the relations have inverses.

    Args:
        forward: N x R probabilities of the pair as it is.
        backward: Those of the pair with head and tail exchanged.
        model: Knows the inverses. A relation without one keeps its forward probability; rows are
            normalised at the end.
    """
    numbers, inverses = model.config.label2id, model.config.inverses
    mixed = forward.copy()
    for name, inverse in inverses.items():
        own, other = numbers[name], numbers[inverse]
        mixed[:, own] = (forward[:, own] + backward[:, other]) / 2
    return mixed / mixed.sum(axis=1, keepdims=True)


def ruled_out_by_types(
    probabilities: Probabilities, instances: Sequence[Instance], model: Scorer
) -> Probabilities:
    """The probabilities with 0 for relations that do not join the types of an instance.

    A row all of whose relations would be ruled out is left as it is; so is one without types.
    """
    possible = np.ones_like(probabilities)
    for name, allowed in model.config.allowed_types.items():
        column = model.config.label2id[name]
        for row, instance in enumerate(instances):
            kinds = (instance.head_type, instance.tail_type)
            for kind, kinds_allowed in zip(kinds, allowed, strict=True):
                if kind is not None and kinds_allowed and kind not in kinds_allowed:
                    possible[row, column] = 0.0
    guided = probabilities * possible
    left = guided.sum(axis=1, keepdims=True)
    return np.where(left > 0, guided / np.where(left > 0, left, 1.0), probabilities)


def _read(
    model: Scorer,
    tokenizer: PreTrainedTokenizerBase,
    instances: Sequence[Instance],
    precision: Precision,
    description: str | None = None,
) -> Probabilities:
    encoded = model.encode(instances, tokenizer)
    if description:
        tell_truncated(encoded, description)
    was_training = model.training
    model.eval()
    probabilities = np.zeros((len(instances), model.config.num_labels))
    with torch.inference_mode(), autocast(model.device, precision):
        for numbers, batch in model_batches(model, encoded):
            logits = model(**batch).logits.double()
            probabilities[numbers] = logits.softmax(dim=-1).cpu().numpy()
    model.train(was_training)
    return probabilities


def model_batches(
    model: Scorer, encoded: Sequence[Encoded]
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Row numbers and tensors of batches of like length, on the model's device."""
    for numbers in sorted_batches([len(e) for e in encoded], TOKENS_PER_BATCH):
        batch = collate([encoded[n] for n in numbers], model.padding)
        yield numbers, {name: tensor.to(model.device) for name, tensor in batch.items()}


def collate(encoded: Sequence[Encoded], padding: int) -> dict[str, Tensor]:
    """Encoded instances as the arguments of ``RelationClassifier.forward``, without labels."""
    rows = [row.arrays() for row in encoded]
    return {"attention_mask": pad([np.ones(len(e), dtype=np.int64) for e in encoded], 0)} | {
        name: pad([row[name] for row in rows], padding if name == "input_ids" else 0)
        for name in rows[0]
    }
