from __future__ import annotations

import pytest
import torch
from torch import nn

from tkre.training.trainer import AveragedWeights


def test_the_average_forgets_the_start_and_then_moves_slowly():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = AveragedWeights(model, decay=0.9)
    nn.init.ones_(model.weight)
    average.update()
    assert average.weights["weight"].item() == pytest.approx(1 - 2 / 11)  # the small first decay
    for _ in range(200):
        average.update()
    nn.init.constant_(model.weight, 2.0)
    before = average.weights["weight"].item()
    average.update()
    assert average.weights["weight"].item() == pytest.approx(0.9 * before + 0.1 * 2)


def test_whole_numbers_are_copied():
    model = nn.BatchNorm1d(1)
    average = AveragedWeights(model, decay=0.9)
    model.num_batches_tracked += 5
    average.update()
    assert average.weights["num_batches_tracked"] == 5
    assert average.weights["num_batches_tracked"].dtype == torch.int64
