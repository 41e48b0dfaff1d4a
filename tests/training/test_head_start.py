from __future__ import annotations

import torch

from tests.training.test_finetuning import SPANS
from tkre.training.finetuning import build_classifier
from tkre.training.inference import predict
from tkre.training.initialisation import start_head, start_span_head
from tkre.training.params import FinetuningParams


def test_the_probe_already_knows_the_rows_before_any_training(backbone, toy_rows, schema):
    torch.manual_seed(0)
    model = build_classifier(backbone, schema, SPANS)
    encoded = model.encode(toy_rows, backbone.tokenizer)
    labels = [schema.names.index(r.relation) for r in toy_rows]
    start_span_head(model, encoded, labels, 1.0)
    guessed = predict(model, backbone.tokenizer, toy_rows).argmax(axis=1)
    assert (guessed == labels).mean() >= 0.9


def test_a_head_of_markers_stays_as_it_was_drawn(backbone, toy_rows, schema):
    params = FinetuningParams(optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3})
    model = build_classifier(backbone, schema, params)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    encoded = model.encode(toy_rows, backbone.tokenizer)
    start_head(model, backbone, schema, encoded, [0] * len(encoded), None)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
