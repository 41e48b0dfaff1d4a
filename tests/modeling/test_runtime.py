from __future__ import annotations

import pytest
import torch
from transformers import BertConfig, BertModel

from tkre.modeling.runtime import autocast, device, mask_for, on_device, use_bf16

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


def test_matrix_products_have_the_requested_precision():
    left = torch.ones(2, 2)
    for precision, expected in (("bf16", torch.bfloat16), ("fp32", torch.float32)):
        with autocast(left.device, precision):
            assert (left @ left).dtype is expected


def test_automatic_precision_is_bf16_where_the_hardware_has_it(monkeypatch):
    assert use_bf16("bf16") and not use_bf16("fp32")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for able, expected in (({"avx512_bf16": True}, True), ({"avx2": True}, False), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able, raising=False)
        assert use_bf16("auto") is expected


MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])


def encoder(**options) -> BertModel:
    torch.manual_seed(1)
    config = BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, vocab_size=20,
        intermediate_size=8,
    )  # fmt: skip
    return BertModel._from_config(config, **options).eval()


def test_a_cpu_s_mask_stays_as_it_is():
    assert mask_for(encoder(), MASK) is MASK


def test_flags_of_four_dimensions_mean_the_same():
    """What a GPU is given, given to a CPU."""
    model, ids = encoder(), torch.tensor([[3, 4, 5, 6], [3, 4, 0, 0]])
    flags = MASK[:, None, None, :].bool()
    with torch.no_grad():
        given, plain = (model(ids, attention_mask=m)[0] for m in (flags, MASK))
    torch.testing.assert_close(given[MASK.bool()], plain[MASK.bool()])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a GPU")
def test_a_gpu_s_mask_is_not_looked_into():
    model, mask = encoder().cuda(), MASK.cuda()
    ids = torch.full_like(mask, 3)
    torch.cuda.set_sync_debug_mode("error")
    try:
        model(ids, attention_mask=mask_for(model, mask))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    eager = encoder(attn_implementation="eager").cuda()
    assert mask_for(eager, mask) is mask
