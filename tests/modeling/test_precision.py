from __future__ import annotations

import torch

from tkre.modeling.runtime import autocast, use_bf16


def test_matrix_products_have_the_precision_that_is_asked_for():
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
