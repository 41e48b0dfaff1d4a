from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.conftest import instance
from tkre.training.finetuning import build_classifier
from tkre.training.inference import predict
from tkre.training.params import FinetuningParams

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


def test_a_classifier_that_reads_both_ways_is_consistent(backbone, schema):
    torch.manual_seed(0)
    model = build_classifier(backbone, schema, PARAMS.model_copy(update={"both_directions": True}))
    row = instance("<head>anna</head> lives in <tail>oslo</tail>")
    inverted = instance("<tail>anna</tail> lives in <head>oslo</head>")
    p, q = (predict(model, backbone.tokenizer, [r], precision="fp32")[0] for r in (row, inverted))
    names = schema.names
    for name in names:
        inverse = schema.inverse_of(name)
        assert p[names.index(name)] == pytest.approx(q[names.index(inverse)], abs=1e-6)


def test_without_inverses_nothing_is_read_twice(model, backbone, toy_rows, monkeypatch):
    monkeypatch.setattr(model.config, "both_directions", True)
    monkeypatch.setattr(model.config, "inverses", {})
    read = []
    monkeypatch.setattr(
        model, "encode", lambda rows, tokenizer: read.append(rows) or encoded(rows, tokenizer)
    )
    encoded = type(model).encode.__get__(model)
    predict(model, backbone.tokenizer, toy_rows)
    assert read == [toy_rows]
