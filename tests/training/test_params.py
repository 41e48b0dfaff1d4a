from __future__ import annotations

import pytest
from pydantic import ValidationError

from tkre.training.params import FinetuningParams, OptimisationParams, PretrainingParams

OPTIMISATION = {"learning_rate": 1e-4, "head_learning_rate": 1e-3}


def test_epochs_follow_from_the_rows():
    params = FinetuningParams(optimisation=OPTIMISATION, presentations=160, min_epochs=4)
    assert params.epochs(rows=19 * 16, relations=19) == 10
    assert params.epochs(rows=19 * 8, relations=19) == 20
    assert params.epochs(rows=19 * 64, relations=19) == 4


def test_parts_that_the_head_does_not_have_are_refused():
    with pytest.raises(ValidationError, match="needs layers"):
        FinetuningParams(optimisation=OPTIMISATION, head="spans")
    with pytest.raises(ValidationError, match="trigger_weight is a part of head 'spans'"):
        FinetuningParams(optimisation=OPTIMISATION, trigger_weight=0.2)


def test_a_part_that_needs_knowledge_says_so():
    assert not FinetuningParams(optimisation=OPTIMISATION).uses_knowledge
    assert FinetuningParams(optimisation=OPTIMISATION, synthetic=True).uses_knowledge
    assert FinetuningParams(optimisation=OPTIMISATION, alignment={}).uses_knowledge


@pytest.mark.parametrize(
    "change", [{"learning_rate": -1}, {"batch_size": 0}, {"warmup": 1.0}, {"bogus": 1}]
)
def test_impossible_values_and_unknown_names_are_refused(change):
    with pytest.raises(ValidationError):
        OptimisationParams.model_validate(OPTIMISATION | change)


def test_stages_without_epochs_are_left_out():
    params = PretrainingParams(
        sources=["explanation"],
        mslm={"epochs": 0, "optimisation": OPTIMISATION},
        scl={"epochs": 2, "optimisation": OPTIMISATION},
    )
    assert params.stages == ["scl"]
