from __future__ import annotations

from dataclasses import replace

import pytest

from tkre.training.params import FinetuningParams
from tkre.training.stages import PretrainingParams
from tkre.training.trial import (
    Effort,
    Sizes,
    Trial,
    by_heart,
    few_rows,
    finetuning_effort,
    machine,
    pretraining_effort,
    try_finetuning,
    try_pretraining,
)

RATES = {"learning_rate": 4e-3, "head_learning_rate": 5e-3, "batch_size": 8}
MARKERS = FinetuningParams.model_validate({"samples_per_relation": 200, "optimisation": RATES})


def test_few_rows_are_of_all_relations(schema, toy_rows):
    few = few_rows(toy_rows, schema, most=6)
    assert [row.relation for row in few] == [
        "home_of", "knows", "lives_in", "none", "home_of", "knows",
    ]  # fmt: skip
    assert len(few_rows(toy_rows, schema)) == 20


def test_learning_by_heart_uses_the_classifier_alone():
    recipe = FinetuningParams.model_validate(
        {"head": "spans", "layers": [1, 2], "synthetic": True, "alignment": {},
         "add_inverted": True, "trigger_weight": 0.2, "average": 0.99,
         "least_probability": 0.6, "optimisation": RATES}
    )  # fmt: skip
    cut = by_heart(recipe)
    assert not cut.uses_knowledge and cut.average is None and cut.least_probability == 0
    assert cut.add_inverted and cut.layers == (1, 2) and cut.optimisation == recipe.optimisation


@pytest.fixture(scope="module")
def trial(backbone, toy_rows, schema):
    long = replace(toy_rows[0], id="long", text=toy_rows[0].text + " old street" * 100)
    return try_finetuning(backbone, toy_rows, [*toy_rows, long], schema, MARKERS)


def test_rows_that_make_sense_are_learnt(trial):
    assert trial.rows == 20 and trial.unlearnt == ()
    assert trial.steps > 0 and trial.seconds > 0 and trial.labelling > 0


def test_rows_that_are_too_long_are_named(trial):
    assert trial.truncated == ("long",) and trial.longest == MARKERS.max_length


def test_rows_that_contradict_one_another_are_named(backbone, toy_rows, schema):
    contradiction = replace(toy_rows[3], id="other", relation="lives_in")
    tried = try_finetuning(backbone, [*toy_rows, contradiction], toy_rows, schema, MARKERS)
    [(row, label)] = tried.unlearnt
    assert row.id in ("other", toy_rows[3].id)
    assert {row.relation, label} == {"none", "lives_in"}


def test_every_stage_of_pretraining_is_timed(backbone, toy_rows, schema):
    stage = {"epochs": 50, "scl_weight": 1.0, "optimisation": RATES}
    pairs = {"epochs": 50, "layers": [1, 2], "optimisation": RATES}
    params = PretrainingParams.model_validate(
        {"sources": ["synthetic"], "mslm": stage | {"scl_weight": 0}, "scl": stage, "pairs": pairs}
    )
    speeds = try_pretraining(backbone, toy_rows, schema, params)
    assert list(speeds) == ["mslm", "scl", "pairs"]
    assert all(0 < seconds < 30 for seconds in speeds.values())


EFFORT_RATES = {"learning_rate": 1e-3, "head_learning_rate": 1e-3, "batch_size": 16}
TRIAL = Trial(rows=30, unlearnt=(), steps=20, seconds=10.0, labelling=0.01, truncated=(), longest=9)
SIZES = Sizes(relations=4, support=32, validation=10, synthetic=32, test=100, inverted=16)


def finetuning(**fields) -> FinetuningParams:
    return FinetuningParams.model_validate(
        {"samples_per_relation": 80, "optimisation": EFFORT_RATES} | fields
    )


def test_steps_of_finetuning():
    golden, labelling = finetuning_effort(finetuning(), SIZES, TRIAL)
    assert golden == Effort("fine-tuning", 10 * 2, 10.0)  # 80 x 4 / 32 epochs of 32 rows
    assert labelling.seconds == pytest.approx((10 * 10 + 100) * 0.01)
    both, _ = finetuning_effort(finetuning(synthetic=True), SIZES, TRIAL)
    assert both.steps == 5 * 4
    inverted, _ = finetuning_effort(finetuning(add_inverted=True), SIZES, TRIAL)
    assert inverted.steps == 10 * 3  # half of the rows are shown both ways


def test_annotated_rows_and_folds_count():
    read = replace(SIZES, annotated=96)
    annotated, _ = finetuning_effort(finetuning(annotated=True, min_epochs=4), read, TRIAL)
    assert annotated.steps == 4 * 8  # 128 rows
    folds, _ = finetuning_effort(finetuning(annotated=True, min_epochs=4, folds=4), read, TRIAL)
    assert folds.steps == 5 * annotated.steps
    stage = {"epochs": 2, "optimisation": EFFORT_RATES}
    params = PretrainingParams.model_validate({"sources": ["annotated"], "mslm": stage})
    [mslm] = pretraining_effort(params, read, {"mslm": 0.1})
    assert mslm.steps == 2 * 6


def test_steps_of_pretraining():
    stage = {"epochs": 3, "optimisation": EFFORT_RATES}
    params = PretrainingParams.model_validate(
        {
            "sources": ["explanation", "synthetic", "support"],
            "mslm": stage,
            "scl": stage | {"epochs": 0},
            "pairs": {"epochs": 2, "layers": [1], "optimisation": EFFORT_RATES},
        }
    )
    mslm, pairs = pretraining_effort(params, SIZES, {"mslm": 0.1, "pairs": 1.0})
    assert mslm == Effort("pre-training, mslm", 3 * 6, pytest.approx(1.8))
    assert pairs.steps == 2 * 6  # 64 sentences and half of them exchanged; no explanations


def test_a_corpus_of_nothing_takes_no_time():
    nothing = Sizes(relations=2, support=0, validation=0, synthetic=0, test=0, inverted=0)
    untrained = finetuning(head="prototypes", samples_per_relation=0, min_epochs=0)
    assert all(e.seconds == 0 for e in finetuning_effort(untrained, nothing, TRIAL))


def test_this_machine(tmp_path):
    resources = machine(tmp_path)
    assert resources.threads >= 1 and resources.cores >= 1
    assert resources.memory_free > 0 and resources.disk_free > 0
    assert resources.device
