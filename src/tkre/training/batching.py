"""Batches of texts of like length for scoring, as arrays, and how many texts are too long.

Batches of sentences of like length for training, in a random order that only a seed decides.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Sampler

logger = logging.getLogger(__name__)


class Encoded(Protocol):
    """A text as tokens that knows whether all of it is there."""

    @property
    def truncated(self) -> bool:
        """Whether tokens were cut off."""
        ...


def log_truncation(encoded: Sequence[Encoded], description: str) -> None:
    """Says how many texts were too long to be read whole; nothing if none was."""
    cut = sum(text.truncated for text in encoded)
    if cut:
        logger.info(
            "%s: %d of %d texts are longer than max_length and are read in part",
            description, cut, len(encoded),
        )  # fmt: skip


def sorted_batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Batches for scoring: longest first, each of about so many tokens with padding.

    Args:
        lengths: Tokens of each row.
        tokens: Rows times length of the longest row, at most (a single longer row is a batch).
    """
    batches: list[list[int]] = []
    width = 0
    for row in np.argsort(-np.asarray(lengths), kind="stable").tolist():
        if not batches or (len(batches[-1]) + 1) * width > tokens:
            batches.append([])
            width = lengths[row]
        batches[-1].append(row)
    return batches


def padded(rows: Sequence[npt.NDArray[Any]], value: float) -> npt.NDArray[Any]:
    """Arrays that differ in their last dimension, as one.

    Args:
        rows: N arrays of shape ... x T_n.
        value: Put where a row has ended.

    Returns:
        N x ... x max T_n.
    """
    longest = max(row.shape[-1] for row in rows)
    whole = np.full((len(rows), *rows[0].shape[:-1], longest), value, dtype=rows[0].dtype)
    for n, row in enumerate(rows):
        whole[n, ..., : row.shape[-1]] = row
    return whole


# Rows are shuffled, cut into pools of so many batches, and sorted by length within a pool: close
# to no padding, and still another batch each time.
POOL = 8


class LengthBatches(Sampler[list[int]]):
    """Batches of row numbers, anew for every epoch.

    Args:
        lengths: Tokens of each row.
        batch_size: Rows per batch; the last one may be smaller, no row is dropped.
        seed: Of the order.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = np.asarray(lengths)
        self._batch_size = batch_size
        self._generator = np.random.default_rng(seed)

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self._generator.permutation(len(self._lengths))
        pool, size = POOL * self._batch_size, self._batch_size
        batches = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(self._lengths[rows], kind="stable")]
            batches += [rows[i : i + size].tolist() for i in range(0, len(rows), size)]
        for i in self._generator.permutation(len(batches)):
            yield batches[i]


def pad(rows: Sequence[npt.NDArray[Any]], value: float) -> Tensor:
    """As ``batching.padded``, as a tensor."""
    return torch.from_numpy(padded(rows, value))
