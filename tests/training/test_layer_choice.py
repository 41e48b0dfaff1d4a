from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tests.training.test_finetuning import SPANS, run
from tkre.training import layer_choice
from tkre.training.layer_choice import PENALTY, choose_layers
from tkre.training.params import FinetuningParams

AUTO = SPANS.model_copy(update={"layers": "auto", "samples_per_relation": 4, "min_epochs": 1})


@pytest.fixture
def given(monkeypatch, toy_rows, schema):
    """Sets the features of the two layers of the encoder: the label, or noise."""
    labels = np.array([schema.names.index(row.relation) for row in toy_rows])
    noise = np.random.default_rng(0).normal(size=(2, len(toy_rows), 50))
    kinds = {"label": np.repeat(np.eye(4)[labels], 13, axis=1)[:, :50], "noise": noise[0]}

    def set_features(*layers):
        read = []

        def features_of(model, tokenizer, rows):
            read.append(rows)
            both = [kinds[kind] if kind in kinds else noise[1] for kind in layers]
            return np.concatenate(both, axis=1)[: len(rows)]

        monkeypatch.setattr(layer_choice, "features_of", features_of)
        return read

    return set_features


@pytest.mark.parametrize(
    ("layers", "chosen"),
    [(("label", "noise"), (1,)), (("noise", "label"), (2,)), (("noise", "other noise"), (1, 2))],
)
def test_the_layer_that_tells_relations_apart_is_chosen(
    given, backbone, toy_rows, schema, layers, chosen
):
    given(*layers)
    assert choose_layers(backbone, toy_rows, schema, AUTO) == chosen


def test_annotated_rows_are_read_where_there_are_no_others(given, backbone, toy_rows, schema):
    read = given("noise", "noise")
    annotated = [replace(row, id=f"annotation/{row.id}") for row in toy_rows]
    choose_layers(backbone, [*annotated, *toy_rows], schema, AUTO)
    choose_layers(backbone, annotated, schema, AUTO)
    assert read == [toy_rows, annotated]


def test_one_row_leaves_the_middle_layers(backbone, toy_rows, schema):
    assert choose_layers(backbone, toy_rows[:1], schema, AUTO) == (1, 2)


def test_errors_are_those_of_a_regression_without_the_row():
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(12, 5)), np.arange(12) % 3
    targets = np.eye(3)[labels] - np.eye(3)[labels].mean(axis=0)
    errors = layer_choice._errors(features @ features.T, labels)
    for row in range(12):
        others = np.arange(12) != row
        ridge = Ridge(alpha=PENALTY, fit_intercept=False).fit(features[others], targets[others])
        error = ((ridge.predict(features[[row]])[0] - targets[row]) ** 2).sum()
        assert errors[row] == pytest.approx(error)


def test_the_lineage_has_the_choice_beside_the_recipe(given, backbone, toy_rows, schema):
    given("noise", "label")
    classifier, _ = run(backbone, toy_rows, schema, AUTO)
    step = classifier.lineage.steps[-1]
    assert step.settings["layers"] == "auto" and step.chosen == {"layers": [2]}
    assert list(classifier.model.config.layers) == [2]


def test_only_a_head_over_layers_can_leave_them_open():
    with pytest.raises(ValueError, match="layers is a part of head 'spans'"):
        FinetuningParams(head="markers", layers="auto", optimisation=SPANS.optimisation)
