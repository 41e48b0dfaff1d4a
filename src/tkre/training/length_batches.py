"""Batches of sentences of like length for training, in a random order that only a seed decides."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import Sampler

from tkre.training.batching import padded

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
