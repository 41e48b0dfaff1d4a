from __future__ import annotations

from dataclasses import replace

import pytest

from tkre.training.params import FinetuningParams
from tkre.training.stages import PretrainingParams
from tkre.training.trial import a_few, by_heart, try_finetuning, try_pretraining

RATES = {"learning_rate": 4e-3, "head_learning_rate": 5e-3, "batch_size": 8}
MARKERS = FinetuningParams.model_validate({"samples_per_relation": 200, "optimisation": RATES})


def test_a_few_rows_are_of_all_relations(schema, toy_rows):
    few = a_few(toy_rows, schema, most=6)
    assert [row.relation for row in few] == [
        "home_of", "knows", "lives_in", "none", "home_of", "knows",
    ]  # fmt: skip
    assert len(a_few(toy_rows, schema)) == 20


def test_learning_by_heart_leaves_out_what_is_not_needed_for_it():
    recipe = FinetuningParams.model_validate(
        {"head": "spans", "layers": [1, 2], "synthetic": True, "alignment": {}, "swap": True,
         "trigger_weight": 0.2, "average": 0.99, "least_probability": 0.6, "optimisation": RATES}
    )  # fmt: skip
    cut = by_heart(recipe)
    assert not cut.uses_knowledge and cut.average is None and cut.least_probability == 0
    assert cut.swap and cut.layers == (1, 2) and cut.optimisation == recipe.optimisation


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
