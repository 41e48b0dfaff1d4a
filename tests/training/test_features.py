from __future__ import annotations

import numpy as np
import pytest
import torch

from tkre.training.finetuning import build_classifier
from tkre.training.inference import features_of
from tkre.training.params import FinetuningParams

RATES = {"learning_rate": 1e-3, "head_learning_rate": 1e-3}


@pytest.fixture(params=[{}, {"head": "spans", "layers": [1, 2], "trigger_weight": 0.1}])
def model(request, backbone, schema):
    torch.manual_seed(0)
    return build_classifier(backbone, schema, FinetuningParams(optimisation=RATES, **request.param))


def test_features_in_the_order_of_the_rows(model, backbone, toy_rows):
    together = features_of(model, backbone.tokenizer, toy_rows)
    assert together.shape == (20, model.head.size)
    alone = [features_of(model, backbone.tokenizer, [row])[0] for row in toy_rows]
    assert np.allclose(together, alone, atol=1e-5)
    assert len(np.unique(together.round(4), axis=0)) > 10


def test_they_are_what_the_head_classifies_and_the_mode_is_restored(model, backbone, toy_rows):
    from tkre.training.inference import predict

    model.train()
    features = features_of(model, backbone.tokenizer, toy_rows)
    assert model.training
    model.eval()
    logits = model.head.classify(torch.tensor(features, dtype=torch.float32))
    expected = predict(model, backbone.tokenizer, toy_rows, precision="fp32")
    assert np.allclose(logits.softmax(dim=-1).detach().numpy(), expected, atol=1e-5)


def test_no_rows_no_features(model, backbone):
    assert features_of(model, backbone.tokenizer, []).shape == (0, model.head.size)


def test_a_missing_kernel_is_an_error(model, backbone, toy_rows, monkeypatch):
    """torch raises NotImplementedError for an operation that a device lacks."""

    def missing(*_, **__):
        raise NotImplementedError("no kernel")

    monkeypatch.setattr(model.head, "features", missing)
    with pytest.raises(NotImplementedError, match="no kernel"):
        features_of(model, backbone.tokenizer, toy_rows)
