from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn

from tkre.training.params import OptimisationParams
from tkre.training.trainer import Objective, optimiser, train

PARAMS = OptimisationParams(learning_rate=0.05, head_learning_rate=0.1, batch_size=4, warmup=0.2)


class Line(Objective):
    """y = a x + b with dropout, so that randomness shows."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(1, 1))
        self.offset = nn.Parameter(torch.zeros(1))
        self.frozen = nn.Parameter(torch.ones(1), requires_grad=False)

    def forward(self, **batch):
        x = nn.functional.dropout(batch["x"], 0.1, self.training)
        loss = ((x * self.slope[0] + self.offset - batch["y"]) ** 2).mean()
        return loss, {"part": loss.detach() / 2}

    def parameter_groups(self):
        return [self.slope, self.frozen], [self.offset]


ROWS = [np.array([x, 2 * x + 1], dtype=np.float32) for x in np.linspace(-1, 1, 10)]


def collate(rows):
    x, y = np.stack(rows).T
    return {"x": x, "y": y}


def run(**options):
    objective = Line()
    table = train(
        objective, ROWS, collate, PARAMS, **({"epochs": 5, "seed": 1, "description": "t"} | options)
    )
    return objective, table


def test_it_learns_and_every_step_is_in_the_table():
    objective, table = run(epochs=40)
    assert len(table) == 40 * 3
    assert table["epoch"].tolist()[:4] == [1, 1, 1, 2] and table["step"].tolist()[-1] == 120
    assert (table["part"] * 2 - table["loss"]).abs().max() < 1e-6
    assert table["loss"].iloc[-6:].mean() < 0.3 * table["loss"].iloc[:6].mean()
    assert objective.slope.item() == pytest.approx(2, abs=0.5)
    assert not objective.training and objective.frozen.item() == 1


def test_equal_seeds_give_equal_runs_whatever_happened_before():
    torch.manual_seed(3), np.random.seed(3), random.seed(3)
    _, first = run()
    torch.manual_seed(4), np.random.seed(4), random.seed(4)
    _, second = run()
    _, other = run(seed=2)
    assert first.equals(second)
    assert not first["loss"].equals(other["loss"])


def test_figures_of_an_epoch_stand_in_its_last_step():
    seen = []

    def epoch_ended(epoch, model):
        seen.append((epoch, model.training))
        return {"score": epoch * 10.0}

    steps = []
    _, table = run(on_epoch_end=epoch_ended, on_step_end=lambda: steps.append(1))
    assert seen == [(n, False) for n in range(1, 6)]
    assert table["score"].dropna().tolist() == [10, 20, 30, 40, 50]
    assert table.loc[table["score"].notna(), "step"].tolist() == [3, 6, 9, 12, 15]
    assert len(steps) == 15


def test_two_rates_and_no_decay_of_vectors():
    groups = optimiser(Line(), PARAMS).param_groups
    described = [(g["lr"], g["weight_decay"], len(g["params"])) for g in groups]
    assert described == [(0.05, 0.01, 1), (0.1, 0.0, 1)]


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run()
    assert list(tmp_path.iterdir()) == []


class Product(Line):
    """The same line by a matrix product, which is what bf16 is for."""

    def __init__(self) -> None:
        super().__init__()
        self.in_products: set[torch.dtype] = set()

    def forward(self, **batch):
        product = batch["x"][:, None] @ self.slope
        self.in_products.add(product.dtype)
        return ((product[:, 0] + self.offset - batch["y"]) ** 2).mean(), {}


@pytest.mark.parametrize(
    ("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)]
)
def test_a_stage_computes_in_the_precision_that_is_named(precision, dtype):
    objective = Product()
    params = PARAMS.model_copy(update={"precision": precision})
    train(objective, ROWS, collate, params, epochs=40, seed=1, description="t")
    assert objective.slope.dtype == torch.float32
    assert objective.slope.item() == pytest.approx(2, abs=0.2)
    assert objective.in_products == {dtype}
