from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.conftest import instance
from tkre.training.finetuning import build_classifier
from tkre.training.params import FinetuningParams
from tkre.training.prediction import both_ways, labels_of, predict, ruled_out_by_types

PARAMS = FinetuningParams(optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3})


@pytest.fixture(scope="module")
def model(backbone, schema):
    torch.manual_seed(0)
    return build_classifier(backbone, schema, PARAMS)


def test_probabilities_in_the_order_of_the_rows(model, backbone, toy_rows):
    together = predict(model, backbone.tokenizer, toy_rows, precision="fp32")
    assert together.shape == (20, 4)
    assert together.sum(axis=1) == pytest.approx(1)
    alone = [predict(model, backbone.tokenizer, [row], precision="fp32")[0] for row in toy_rows]
    assert np.allclose(together, alone, atol=1e-5)


def named(negative, least):
    config = SimpleNamespace(
        id2label={0: "a", 1: "b", 2: "none"}, negative=negative, least_probability=least
    )
    return SimpleNamespace(config=config)


def test_a_relation_that_is_not_likely_enough_is_none():
    rows = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.1, 0.7], [0.6, 0.3, 0.1]])
    assert labels_of(rows, named("none", 0.0)) == ["a", "b", "none", "a"]
    assert labels_of(rows, named("none", 0.6)) == ["a", "none", "none", "a"]
    assert labels_of(rows, named(None, 0.6)) == ["a", "b", "none", "a"]
    assert labels_of(rows[:0], named("none", 0.6)) == []


def test_bf16_is_near(model, backbone, toy_rows):
    exact = predict(model, backbone.tokenizer, toy_rows, precision="fp32")
    near = predict(model, backbone.tokenizer, toy_rows, precision="bf16")
    assert not np.array_equal(near, exact)
    assert np.allclose(near, exact, atol=0.02)


def test_sentences_that_are_too_long_are_counted(model, backbone, toy_rows, caplog):
    long = instance("<head>anna</head> lives in " + "old " * 200 + "<tail>oslo</tail>")
    with caplog.at_level("INFO"):
        predict(model, backbone.tokenizer, [*toy_rows, long])
        assert not caplog.messages  # validation, epoch by epoch
        predict(model, backbone.tokenizer, toy_rows, description="test")
        assert not caplog.messages
        predict(model, backbone.tokenizer, [*toy_rows, long], description="test")
    [told] = caplog.messages
    assert told.startswith("test: 1 of 21 texts are longer than max_length")


def test_nothing_to_predict(model, backbone):
    assert predict(model, backbone.tokenizer, []).shape == (0, 4)


def test_prediction_does_not_look_at_the_answer_and_restores_the_mode(model, backbone, toy_rows):
    from dataclasses import replace

    model.train()
    blind = [replace(r, relation=None, triggers=(), explanation=None) for r in toy_rows]
    assert np.array_equal(
        predict(model, backbone.tokenizer, blind), predict(model, backbone.tokenizer, toy_rows)
    )
    assert model.training
    model.eval()


def test_relations_that_do_not_join_the_types_are_ruled_out():
    allowed = {"a": [["person"], ["place"]], "b": [["place"], []]}
    model = SimpleNamespace(
        config=SimpleNamespace(label2id={"a": 0, "b": 1, "c": 2}, allowed_types=allowed)
    )
    sentence = "<head>x</head> <tail>y</tail>"
    rows = [
        instance(sentence, head_type="person", tail_type="place"),
        instance(sentence, head_type="place", tail_type="place"),
        instance(sentence, head_type="date", tail_type="date"),
        instance(sentence),
    ]
    given = np.tile([0.5, 0.3, 0.2], (4, 1))
    guided = ruled_out_by_types(given, rows, model)
    assert guided[0] == pytest.approx([5 / 7, 0, 2 / 7])
    assert guided[1] == pytest.approx([0, 0.6, 0.4])
    assert guided[2] == pytest.approx([0, 0, 1])
    assert guided[3] == pytest.approx(given[3])
    certain = np.array([[1.0, 0.0, 0.0]])  # nothing would be left
    assert ruled_out_by_types(certain, rows[2:3], model)[0] == pytest.approx(certain[0])


def test_two_readings_are_averaged_over_inverse_relations():
    model = SimpleNamespace(
        config=SimpleNamespace(
            label2id={"a": 0, "b": 1, "s": 2, "x": 3}, inverses={"a": "b", "b": "a", "s": "s"}
        )
    )
    forward = np.array([[0.4, 0.3, 0.2, 0.1]])
    backward = np.array([[0.1, 0.6, 0.2, 0.1]])
    mixed = both_ways(forward, backward, model)
    expected = np.array([(0.4 + 0.6) / 2, (0.3 + 0.1) / 2, 0.2, 0.1])
    assert mixed[0] == pytest.approx(expected / expected.sum())


def test_a_classifier_that_reads_both_ways_is_consistent(backbone, schema):
    torch.manual_seed(0)
    model = build_classifier(backbone, schema, PARAMS.model_copy(update={"both_directions": True}))
    row = instance("<head>anna</head> lives in <tail>oslo</tail>")
    turned = instance("<tail>anna</tail> lives in <head>oslo</head>")
    p, q = (predict(model, backbone.tokenizer, [r], precision="fp32")[0] for r in (row, turned))
    names = schema.names
    for name in names:
        inverse = schema.inverse_of(name)
        assert p[names.index(name)] == pytest.approx(q[names.index(inverse)], abs=1e-6)
