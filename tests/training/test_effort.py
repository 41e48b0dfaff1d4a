from __future__ import annotations

import pytest

from tkre.training.params import FinetuningParams
from tkre.training.stages import PretrainingParams
from tkre.training.trial import Effort, Sizes, finetuning_effort, pretraining_effort

RATES = {"learning_rate": 1e-3, "head_learning_rate": 1e-3, "batch_size": 16}
SIZES = Sizes(relations=4, support=32, validation=10, synthetic=32, test=100, swapped=16)


def finetuning(**fields) -> FinetuningParams:
    return FinetuningParams.model_validate(
        {"samples_per_relation": 80, "optimisation": RATES} | fields
    )


def test_steps_of_finetuning():
    golden, labelling = finetuning_effort(finetuning(), SIZES, 0.5, 0.01)
    assert golden == Effort("fine-tuning", 10 * 2, 10.0)  # 80 x 4 / 32 epochs of 32 rows
    assert labelling.seconds == pytest.approx((10 * 10 + 100) * 0.01)
    both, _ = finetuning_effort(finetuning(synthetic=True), SIZES, 0.5, 0.01)
    assert both.steps == 5 * 4
    swapped, _ = finetuning_effort(finetuning(swap=True), SIZES, 0.5, 0.01)
    assert swapped.steps == 10 * 3  # half of the rows are shown both ways


def test_steps_of_pretraining():
    stage = {"epochs": 3, "optimisation": RATES}
    params = PretrainingParams.model_validate(
        {
            "sources": ["explanation", "synthetic", "support"],
            "mslm": stage,
            "scl": stage | {"epochs": 0},
            "pairs": {"epochs": 2, "layers": [1], "optimisation": RATES},
        }
    )
    mslm, pairs = pretraining_effort(params, SIZES, {"mslm": 0.1, "pairs": 1.0})
    assert mslm == Effort("pre-training, mslm", 3 * 6, pytest.approx(1.8))
    assert pairs.steps == 2 * 6  # 64 sentences and half of them exchanged; no explanations


def test_a_corpus_of_nothing_takes_no_time():
    nothing = Sizes(relations=2, support=0, validation=0, synthetic=0, test=0, swapped=0)
    untrained = finetuning(head="prototypes", samples_per_relation=0, min_epochs=0)
    assert all(e.seconds == 0 for e in finetuning_effort(untrained, nothing, 1.0, 1.0))
