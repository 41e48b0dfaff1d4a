"""Scoring: probabilities of relations in both directions, and the rules over them.

A classifier of torch or of ONNX Runtime computes them. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from tkre.core.instance import Instance
from tkre.modeling.settings import ClassifierSettings
from tkre.modeling.tokenization import Encoded, Tokenizer
from tkre.training.batching import Batch, log_truncation, scoring_batches

TOKENS_PER_BATCH = 4096  # on a CPU: more are no faster there
# In fp32 and int8 on a CPU a call costs little beside its products: of few sentences, which a large
# batch would pad to the longest one, small batches are read twice as fast.
SMALL_BATCH = 512
Probabilities = npt.NDArray[np.float64]


class Scorer(Protocol):
    """A classifier that is ready to predict.

    Attributes:
        config: Labels and the rules over their probabilities.
    """

    config: ClassifierSettings

    @property
    def padding(self) -> int:
        """The padding token of its encoder."""

    @property
    def tokens_per_batch(self) -> int:
        """Most tokens of a batch, padding included."""

    @property
    def threads(self) -> int:
        """Batches that are computed at the same time, each in a thread."""

    def encode(self, instances: Sequence[Instance], tokenizer: Tokenizer) -> Sequence[Encoded]:
        """Instances as tokens, in the form that its head reads."""

    def probabilities(self, batch: Batch) -> Probabilities:
        """B x R probabilities of B padded rows."""


class Scores(NamedTuple):
    """Probabilities of relations for instances.

    Attributes:
        probabilities: N x R, rows in the order of the instances, columns in that of the labels.
        truncated: For each instance, whether tokens were cut off.
    """

    probabilities: Probabilities
    truncated: list[bool]


def score(
    model: Scorer,
    tokenizer: Tokenizer,
    instances: Sequence[Instance],
    description: str | None = None,
    *,
    natural: bool = False,
) -> Scores:
    """The probability of every relation for every instance.

    Args:
        model: The classifier.
        tokenizer: Its tokenizer.
        instances: N instances; their relations are not read.
        natural: Whether they are natural text: then the classifier's prior of such text is used,
            if it has one.
        description: Name of the rows in the log of truncated rows; None logs nothing.
    """
    encoded = model.encode(instances, tokenizer)
    truncated = [e.truncated for e in encoded]
    if description:
        log_truncation(truncated, description)
    probabilities = _read(model, encoded)
    if model.config.both_directions and model.config.inverses:
        inverted = [instance.inverted() for instance in instances]
        of_inverted = _read(model, model.encode(inverted, tokenizer))
        probabilities = both_ways(probabilities, of_inverted, model.config)
    if natural:
        probabilities = with_natural_prior(probabilities, model.config)
    return Scores(ruled_out_by_types(probabilities, instances, model.config), truncated)


def with_natural_prior(probabilities: Probabilities, config: ClassifierSettings) -> Probabilities:
    """Probabilities under the shares of the labels in natural text (Bayes' rule).

    Args:
        probabilities: N x R under equal shares; a classifier without ``natural_prior`` keeps them.
        config: Settings of the classifier.
    """
    if not config.natural_prior:
        return probabilities
    prior = [config.natural_prior[config.id2label[n]] for n in range(probabilities.shape[1])]
    weighed = probabilities * np.array(prior)
    return weighed / weighed.sum(axis=1, keepdims=True)


def labels_of(probabilities: Probabilities, config: ClassifierSettings) -> list[str]:
    """The label that is predicted for each row of probabilities.

    It is the likeliest one, or the negative label if none reaches ``least_probability``: few
    samples do not cover "none of the others", so pairs unlike any training row are recognised by
    a low probability.
    """
    labels, negative = config.id2label, config.negative
    best = probabilities.argmax(axis=1)
    sure = probabilities.max(axis=1, initial=0.0) >= config.least_probability
    return [
        labels[int(n)] if certain or negative is None else negative
        for n, certain in zip(best, sure, strict=True)
    ]


def both_ways(
    forward: Probabilities, inverted: Probabilities, config: ClassifierSettings
) -> Probabilities:
    """The mean of two readings of each pair, where the relations have inverses.

    Args:
        forward: N x R probabilities of the pair.
        inverted: N x R probabilities of the pair with head and tail exchanged.
        config: Settings with the inverses. A relation without one keeps its forward probability;
            rows are normalised at the end.
    """
    numbers, inverses = config.label2id, config.inverses
    mixed = forward.copy()
    for name, inverse in inverses.items():
        relation, its_inverse = numbers[name], numbers[inverse]
        mixed[:, relation] = (forward[:, relation] + inverted[:, its_inverse]) / 2
    return mixed / mixed.sum(axis=1, keepdims=True)


def ruled_out_by_types(
    probabilities: Probabilities, instances: Sequence[Instance], config: ClassifierSettings
) -> Probabilities:
    """The probabilities with 0 for relations that do not join the types of an instance.

    Rows without types, and rows whose relations would all be ruled out, stay as they are.
    """
    possible = np.ones_like(probabilities)
    for name, allowed in config.allowed_types.items():
        column = config.label2id[name]
        for row, instance in enumerate(instances):
            kinds = (instance.head_type, instance.tail_type)
            for kind, kinds_allowed in zip(kinds, allowed, strict=True):
                if kind is not None and kinds_allowed and kind not in kinds_allowed:
                    possible[row, column] = 0.0
    guided = probabilities * possible
    left = guided.sum(axis=1, keepdims=True)
    return np.where(left > 0, guided / np.where(left > 0, left, 1.0), probabilities)


def _read(model: Scorer, encoded: Sequence[Encoded]) -> Probabilities:
    probabilities = np.zeros((len(encoded), model.config.num_labels))
    batches = scoring_batches(encoded, model.padding, model.tokens_per_batch)
    if model.threads == 1:  # without a pool: torch has its modes for each thread
        for numbers, batch in batches:
            probabilities[numbers] = model.probabilities(batch)
        return probabilities
    with ThreadPoolExecutor(model.threads) as pool:
        read = [(numbers, pool.submit(model.probabilities, batch)) for numbers, batch in batches]
        for numbers, found in read:
            probabilities[numbers] = found.result()
    return probabilities
