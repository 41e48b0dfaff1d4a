from __future__ import annotations

import numpy as np
import torch

from tkre.training.batching import POOL, LengthBatches, padded, sorted_batches

LENGTHS = np.random.default_rng(0).integers(5, 60, size=203).tolist()


def test_scoring_batches_hold_so_many_tokens():
    batches = sorted_batches(LENGTHS, tokens=256)
    assert sorted(row for batch in batches for row in batch) == list(range(203))
    for batch in batches:
        assert len(batch) * max(LENGTHS[r] for r in batch) <= 256
    assert sorted_batches([500, 2], tokens=256) == [[0], [1]]
    assert sorted_batches([], tokens=256) == []


def test_padded():
    rows = padded([np.array([[1, 2], [3, 4]]), np.array([[5], [6]])], 9)
    assert rows.tolist() == [[[1, 2], [3, 4]], [[5, 9], [6, 9]]]
    assert padded([np.array([True])], False).dtype == bool


def test_every_row_once_per_epoch_and_none_dropped():
    batches = LengthBatches(LENGTHS, 16, seed=1)
    for _ in range(2):
        epoch = list(batches)
        assert len(epoch) == len(batches) == 13
        assert sorted(row for batch in epoch for row in batch) == list(range(203))


def test_batches_are_of_like_length_and_differ_between_epochs():
    batches = LengthBatches(LENGTHS, 16, seed=1)
    first, second = list(batches), list(batches)
    spread = np.mean([np.ptp([LENGTHS[r] for r in batch]) for batch in first])
    assert spread < 0.5 * np.ptp(LENGTHS)
    assert first != second


def test_the_order_depends_on_the_seed_alone():
    torch.manual_seed(5)
    a = list(LengthBatches(LENGTHS, 16, seed=1))
    torch.manual_seed(6)
    assert a == list(LengthBatches(LENGTHS, 16, seed=1)) != list(LengthBatches(LENGTHS, 16, seed=2))


def test_the_number_of_batches_is_exact_at_the_edges():
    for count in (1, 15, 16, 17, 16 * POOL, 16 * POOL + 1):
        batches = LengthBatches([3] * count, 16, seed=0)
        assert len(list(batches)) == len(batches)
