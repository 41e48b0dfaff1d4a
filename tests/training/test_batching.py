from __future__ import annotations

import numpy as np

from tkre.training.batching import padded, sorted_batches

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
