from __future__ import annotations

import numpy as np
import torch

from tests.training.test_finetuning import SPANS
from tkre.training.finetuning import build_classifier, head_start
from tkre.training.inference import features_of_encoded, predict
from tkre.training.linear_probe import LinearProbe
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


def test_two_relations_start_from_a_probe_too(backbone, toy_rows, schema):
    """scikit-learn gives one row of coefficients for two classes: p = sigmoid(z)."""
    names = schema.names[:2]
    rows = [row for row in toy_rows if row.relation in names]
    params = SPANS.model_copy(update={"probe_start": 1.0})
    model, _, labels = initialised(backbone, rows, schema, params)
    encoded = model.encode(rows, backbone.tokenizer)
    features = features_of_encoded(model, encoded)
    probe = LinearProbe(C=1.0, max_iter=500).fit(features.numpy(), labels)
    logits = model.head.classify(features)[:, [schema.names.index(name) for name in names]]
    expected = probe.predict_proba(features.numpy())
    assert np.allclose(
        logits.softmax(dim=-1).detach(), expected[:, np.argsort(probe.classes_)], atol=1e-4
    )


def test_one_relation_has_no_probe_and_it_is_logged(backbone, toy_rows, schema, caplog):
    rows = [row for row in toy_rows if row.relation == schema.names[0]]
    model, before, _ = initialised(backbone, rows, schema, SPANS)
    assert torch.equal(model.head.output.weight, before["head.output.weight"])
    assert "without a probe" in caplog.text
