from __future__ import annotations

import torch

from tests.training.test_finetuning import SPANS
from tkre.training.finetuning import build_classifier, head_start
from tkre.training.inference import predict
from tkre.training.params import FinetuningParams


def initialised(backbone, rows, schema, params):
    torch.manual_seed(0)
    model = build_classifier(backbone, schema, params)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    encoded = model.encode(rows, backbone.tokenizer)
    labels = [schema.names.index(row.relation) for row in rows]
    model.head.initialise(head_start(model, backbone, schema, encoded, labels, params))
    return model, before, labels


def test_the_probe_already_knows_the_rows_before_any_training(backbone, toy_rows, schema):
    params = SPANS.model_copy(update={"probe_start": 1.0})
    model, _, labels = initialised(backbone, toy_rows, schema, params)
    guessed = predict(model, backbone.tokenizer, toy_rows).argmax(axis=1)
    assert (guessed == labels).mean() >= 0.9


def test_a_head_of_markers_stays_as_it_was_drawn(backbone, toy_rows, schema):
    params = FinetuningParams(optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3})
    model, before, _ = initialised(backbone, toy_rows, schema, params)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
