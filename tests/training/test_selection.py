from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.conftest import instance
from tkre.training.finetuning import EpochSelection
from tkre.training.trainer import AveragedWeights

# 100 rows at 80 %: the standard error is 4 points.
ROWS = [instance("<head>a</head> met <tail>b</tail>")] * 100


def kept_epoch(scores, rule, monkeypatch, averaged=False):
    """Which epoch is kept of a training whose only weight is the number of its epoch."""
    figures = iter(scores)
    monkeypatch.setattr(
        EpochSelection, "_scores",
        lambda self: dict(zip(("validation_f1", "validation_loss"), next(figures), strict=True)),
    )  # fmt: skip
    model = nn.Linear(1, 1, bias=False)
    average = AveragedWeights(model, 0.5) if averaged else None
    chooser = EpochSelection(
        model, average, None, ROWS, None, rule=rule, epochs=4, validations=4, precision="fp32"
    )
    for epoch in range(1, len(scores) + 1):
        nn.init.constant_(model.weight, epoch)
        if average:
            average.weights["weight"] = torch.full((1, 1), epoch + 0.5)
        assert "validation_f1" in chooser.epoch_ended(epoch, model)
        assert model.weight.item() == epoch  # training goes on from its own weights
    return chooser.kept_weights["weight"].item()


@pytest.mark.parametrize(
    ("scores", "best", "within_error"),
    [
        ([(50, 1), (80, 1), (70, 1)], 2, 2),
        ([(80, 1), (75, 1), (77, 1), (75.9, 1)], 1, 3),  # 76 is the least within reach
        ([(80, 1), (80, 2), (80, 0.5)], 3, 3),
        ([(80, 1), (80, 2)], 1, 2),
        ([(70, 1), (69, 1), (90, 1), (69, 1)], 3, 3),  # what was near the best is not any more
        ([(0, 1), (0, 1)], 2, 2),
    ],
)
def test_which_epoch_is_kept(scores, best, within_error, monkeypatch):
    assert kept_epoch(scores, "best", monkeypatch) == best
    assert kept_epoch(scores, "one_standard_error", monkeypatch) == within_error


def test_the_average_is_what_is_kept(monkeypatch):
    assert kept_epoch([(80, 1), (70, 1)], "best", monkeypatch, averaged=True) == 1.5


def test_few_of_many_epochs_are_validated_and_the_last_one_is(monkeypatch):
    monkeypatch.setattr(EpochSelection, "_scores", lambda self: {"validation_f1": 50.0})
    model = nn.Linear(1, 1, bias=False)
    for epochs, expected in ((9, [3, 6, 9]), (10, [4, 7, 10]), (2, [1, 2])):
        chooser = EpochSelection(
            model, None, None, ROWS, None,
            rule="best", epochs=epochs, validations=3, precision="fp32",
        )  # fmt: skip
        scored = [e for e in range(1, epochs + 1) if chooser.epoch_ended(e, model)]
        assert scored == expected
