from __future__ import annotations

import pytest
from pydantic import ValidationError

from tkre.core.errors import UserError
from tkre.training.params import (
    FinetuningParams,
    OptimisationParams,
    SetFitParams,
)
from tkre.training.stages import PretrainingParams, StageParams

OPTIMISATION = {"learning_rate": 1e-4, "head_learning_rate": 1e-3}


def test_epochs_follow_from_the_rows():
    params = FinetuningParams(optimisation=OPTIMISATION, samples_per_relation=160, min_epochs=4)
    assert params.epochs(rows=19 * 16, relations=19) == 10
    assert params.epochs(rows=19 * 8, relations=19) == 20
    assert params.epochs(rows=19 * 64, relations=19) == 4


def test_many_relations_have_fewer_epochs_but_the_fewest_ones():
    params = FinetuningParams(optimisation=OPTIMISATION, samples_per_relation=160, min_epochs=4,
                              most_samples=1700)  # fmt: skip
    assert params.epochs(rows=11 * 16, relations=11) == 10  # 1,760 samples
    assert params.epochs(rows=19 * 16, relations=19) == 6
    assert params.epochs(rows=19 * 32, relations=19) == 4
    stage = StageParams(optimisation=OPTIMISATION, epochs=4, most_samples=1100)
    assert [stage.epochs_of(rows) for rows in (100, 264, 449, 5000)] == [4, 4, 2, 1]
    assert StageParams(optimisation=OPTIMISATION, epochs=4).epochs_of(5000) == 4
    assert StageParams(optimisation=OPTIMISATION, epochs=0, most_samples=9).epochs_of(1) == 0


def test_parts_that_the_head_does_not_have_are_refused():
    with pytest.raises(ValidationError, match="needs layers"):
        FinetuningParams(optimisation=OPTIMISATION, head="spans")
    with pytest.raises(ValidationError, match="trigger_weight is a part of head 'spans'"):
        FinetuningParams(optimisation=OPTIMISATION, trigger_weight=0.2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"head": "prompt", "alignment": {}}, "alignment is a part of head 'markers', 'spans'"),
        ({"head": "prompt", "head_dropout": 0.2}, "head_dropout is a part of .* not of 'prompt'"),
        ({"head": "prompt", "layers": (1,)}, "layers is a part of head 'spans', not of 'prompt'"),
        ({"temperature": 0.1}, "temperature is a part of head 'prototypes', not of 'markers'"),
        ({"both_directions": True}, "both_directions without add_inverted"),
        ({"text_priors": True}, "text_priors is about annotated rows: set annotated, too"),
        ({"annotation_weights": True}, "annotation_weights is about annotated rows"),
        ({"folds": 4}, "folds is about annotated rows"),
        ({"annotated": True, "folds": 1}, "folds 1"),
        ({"annotated": True, "folds": 4, "annotation_filter": True}, "set annotation_weights and"),
        ({"true_labels": True}, "true_labels is about annotated rows"),
        ({"annotated": True, "folds": 4, "distilled_from": "large"}, "folds have no teacher"),
        ({"head": "prompt", "min_epochs": 0}, "then samples_per_relation are 0 too"),
        ({"samples_per_relation": 0, "min_epochs": 0}, "'markers' starts random"),
        ({"head": "prompt", "samples_per_relation": 0, "min_epochs": 0, "synthetic": True},
         "synthetic is a part of training"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        FinetuningParams(optimisation=OPTIMISATION, **change)


def test_no_training_at_all():
    params = FinetuningParams(
        optimisation=OPTIMISATION, head="prototypes", samples_per_relation=0, min_epochs=0
    )
    assert not params.trained and not params.uses_knowledge
    assert params.epochs(rows=0, relations=19) == params.epochs(rows=152, relations=19) == 0
    trained = FinetuningParams(optimisation=OPTIMISATION, samples_per_relation=0)
    assert trained.trained and trained.epochs(rows=10, relations=2) == 4
    with pytest.raises(UserError, match="no rows to train on"):
        trained.epochs(rows=0, relations=2)


def test_parts_that_need_knowledge():
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
    assert list(params.stages) == ["scl"]


@pytest.mark.parametrize(("rows", "relations"), [(19 * 8, 19), (11 * 16, 11), (145, 19)])
def test_setfit_shows_about_as_many_sentences_as_are_wanted(rows, relations):
    iterations = SetFitParams(samples_per_relation=320).iterations(rows, relations)
    pairs = 2 * iterations * rows  # SetFit's count: so many alike, and as many not
    assert 2 * pairs / relations == pytest.approx(320, rel=0.06)


def test_setfit_by_itself_takes_all_pairs():
    assert SetFitParams().iterations(rows=152, relations=19) is None
