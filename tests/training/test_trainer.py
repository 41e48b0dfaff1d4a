from __future__ import annotations

import random
import shutil

import numpy as np
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM

from tkre.core.errors import UserError
from tkre.modeling.runtime import device
from tkre.training.params import OptimisationParams
from tkre.training.trainer import (
    AveragedWeights,
    Objective,
    compiled_layers,
    optimiser,
    train,
    training_environment,
    use_bf16,
)

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


@pytest.mark.parametrize("epochs", [1, 8])  # at its end, or at the first step that is looked at
def test_a_training_that_diverges_says_so(epochs):
    rows = [np.array([x, np.inf], dtype=np.float32) for x in np.linspace(-1, 1, 10)]
    with pytest.raises(UserError, match=r"my stage: the loss of step \d+ is .*learning_rate"):
        train(Line(), rows, collate, PARAMS, epochs=epochs, seed=1, description="my stage")


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


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no compiler")
@pytest.mark.filterwarnings("ignore")  # of torch about itself
def test_compiled_layers_compute_the_same_at_every_length_and_are_given_back():
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=48,
    )  # fmt: skip
    model = BertForMaskedLM(config).eval().to(device())
    batches = []
    for length in (9, 17, 30):
        mask = (torch.arange(length) < torch.tensor([[length], [length - 2], [4]]))[:, None, None]
        ids = torch.randint(5, 50, (3, length))
        batches.append({"input_ids": ids.to(device()), "attention_mask": mask.to(device())})
    plain = [model(**batch).logits for batch in batches]
    graphs = torch._dynamo.utils.counters["stats"]
    graphs.clear()
    with compiled_layers(nn.ModuleList([model])):
        for batch, expected in zip(batches, plain, strict=True):
            torch.testing.assert_close(model(**batch).logits, expected, rtol=1e-4, atol=1e-5)
    # One graph for both layers and all lengths.
    assert graphs["unique_graphs"] == 1
    graphs.clear()
    model(**batches[0])
    assert not graphs


@pytest.mark.parametrize(("wanted", "used"), [("fp32", "fp32"), ("bf16", "bf16")])
def test_threads_and_precision_are_those_that_are_used(wanted, used):
    found = training_environment(wanted)
    assert (found.precision, found.threads) == (used, torch.get_num_threads())
    # The build ("+cpu", "+cu130") is not part of the version in every package.
    assert torch.__version__.startswith(found.libraries["torch"])


def test_auto_is_what_the_machine_does():
    assert training_environment("auto").precision == ("bf16" if use_bf16("auto") else "fp32")


def test_a_gpu_is_called_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    assert training_environment("fp32").device == "A GPU"
