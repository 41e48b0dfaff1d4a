from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from tkre.generation.label_errors import label_confidence, suspected_label_errors
from tkre.generation.params import CrossFitParams
from tkre.modeling.checkpoint import weights_digest
from tkre.training.cross_fitting import judge, read_both_ways

# The toy's sentences are made from one pattern each: only copies may count as near-duplicates here.
PARAMS = CrossFitParams(layers=(1, 2), inverse_regularisation=0.1, max_overlap=0.9)


judge_golden, judge_synthetic = (partial(judge, judged=kind) for kind in ("support", "synthetic"))


@pytest.fixture(scope="module")
def golden(toy_rows):
    return toy_rows[:8]


@pytest.fixture(scope="module")
def synthetic(toy_rows):
    return toy_rows[8:]


def test_features_tell_as_much_as_before_they_are_rotated(backbone, toy_rows):
    forward, inverted = read_both_ways(backbone, toy_rows, PARAMS)
    assert forward.shape == inverted.shape
    assert forward.shape[1] <= 2 * len(toy_rows)
    both = np.concatenate([forward, inverted])
    assert np.allclose(both.mean(axis=0), 0, atol=1e-6)
    exchanged = read_both_ways(backbone, [row.inverted() for row in toy_rows], PARAMS)
    # Only distances count, and they are those of the same readings in another order.
    assert np.allclose(forward @ inverted.T, exchanged[1] @ exchanged[0].T, atol=1e-4)
    assert weights_digest(backbone.model) == backbone.lineage.origin


def test_synthetic_rows_are_known_without_being_seen(backbone, golden, synthetic, schema):
    probabilities = judge_synthetic(backbone, golden, synthetic, schema, PARAMS, seed=1)
    assert probabilities.shape == (12, 4)
    assert np.allclose(probabilities.sum(axis=1), 1)
    guessed = [schema.names[n] for n in probabilities.argmax(axis=1)]
    assert np.mean([g == r.relation for g, r in zip(guessed, synthetic, strict=True)]) >= 0.9
    again = judge_synthetic(backbone, golden, synthetic, schema, PARAMS, seed=1)
    assert (again == probabilities).all()


def test_probabilities_of_a_row_do_not_depend_on_its_label(backbone, golden, synthetic, schema):
    one_round = PARAMS.model_copy(update={"rounds": 1, "folds": 12})
    before = judge_synthetic(backbone, golden, synthetic, schema, one_round, seed=1)
    relabelled = [replace(synthetic[0], relation="none"), *synthetic[1:]]
    assert synthetic[0].relation != "none"
    probabilities = judge_synthetic(backbone, golden, relabelled, schema, one_round, seed=1)
    # Its fold may be another one, but each row is a fold of its own.
    assert np.allclose(probabilities[0], before[0], atol=1e-3)
    assert not np.allclose(probabilities[1:], before[1:], atol=1e-3)


def test_near_duplicates_are_held_out_together(backbone, golden, synthetic, schema):
    """A row and its copy have the same wrong label: neither may have trained on the other."""
    wrong = replace(synthetic[0], relation="knows", head_type="person", tail_type="person")
    copy = replace(wrong, id="copy")
    one_round = PARAMS.model_copy(update={"rounds": 1})
    rows = [wrong, copy, *synthetic[1:]]
    own = schema.names.index("knows")
    apart = judge_synthetic(backbone, golden, rows, schema, one_round, seed=1)
    assert (apart[:2, own] < 0.3).all()
    # Nor may a golden copy, which always trains.
    probabilities = judge_synthetic(
        backbone, [*golden, copy], rows[:1] + rows[2:], schema, one_round, seed=1
    )
    assert probabilities[0, own] < 0.3


def test_planted_labels_have_less_confidence(backbone, golden, toy_rows, synthetic, schema):
    wrong = {synthetic[0].id: "none", synthetic[5].id: "knows"}
    rows = [replace(row, relation=wrong.get(row.id, row.relation)) for row in synthetic]
    probabilities = judge_synthetic(backbone, golden, rows, schema, PARAMS, seed=1)
    right = label_confidence(rows, schema, probabilities)
    planted = np.array([row.id in wrong for row in rows])
    assert right[planted].max() < right[~planted].min()


def test_a_golden_row_under_the_wrong_direction_is_suspected_first(backbone, toy_rows, schema):
    n = next(n for n, row in enumerate(toy_rows) if row.relation == "lives_in")
    rows = [replace(row, relation="home_of") if i == n else row for i, row in enumerate(toy_rows)]
    for support, synthetic in ((rows, []), (rows[:8], rows[8:])):
        probabilities = judge_golden(backbone, support, synthetic, schema, PARAMS, seed=1)
        first = suspected_label_errors(support, schema, probabilities).iloc[0]
        assert (first["id"], first["likeliest"]) == (toy_rows[n].id, "lives_in")
        assert first["inverted"]


def test_a_relation_that_no_other_row_shows_cannot_be_judged(backbone, toy_rows, schema):
    rows = [r for r in toy_rows if r.relation != "knows"]
    only = next(r for r in toy_rows if r.relation == "knows")
    probabilities = judge_golden(backbone, [only, *rows], [], schema, PARAMS, seed=1)
    assert np.isnan(probabilities[0]).all()
    assert not np.isnan(probabilities[1:]).any()


def test_too_little_to_judge_by(backbone, toy_rows, schema):
    assert np.isnan(judge_golden(backbone, toy_rows[:1], [], schema, PARAMS, seed=1)).all()
    assert judge_synthetic(backbone, toy_rows, [], schema, PARAMS, seed=1).shape == (0, 4)
    assert judge_golden(backbone, [], [], schema, PARAMS, seed=1).shape == (0, 4)
    alone = judge_synthetic(backbone, [], toy_rows, schema, PARAMS, seed=1)
    assert not np.isnan(alone).any()
