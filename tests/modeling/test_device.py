from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

from tkre.modeling.runtime import device, on_device

SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20}


def test_the_gpu_if_there_is_one():
    assert device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_model_is_on_the_device_for_a_while():
    model = BertModel(BertConfig(**SIZES, intermediate_size=8))
    with on_device(model):
        assert model.device == device()
    assert model.device == torch.device("cpu")


class Somewhere:
    """A model as far as its place goes: "meta" stands for a GPU, and no weights can leave that."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")

    def to(self, place: torch.device) -> None:
        self.device = place


def test_it_goes_back_after_an_error(monkeypatch):
    monkeypatch.setattr("tkre.modeling.runtime.device", lambda: torch.device("meta"))
    model, seen = Somewhere(), []
    with pytest.raises(RuntimeError, match="broke"), on_device(model):
        seen.append(model.device.type)
        raise RuntimeError("broke")
    assert seen == ["meta"] and model.device.type == "cpu"
