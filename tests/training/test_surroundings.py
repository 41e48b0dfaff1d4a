from __future__ import annotations

import pytest
import torch

from tkre.training.trainer import training_environment, use_bf16


@pytest.mark.parametrize(("wanted", "used"), [("fp32", "fp32"), ("bf16", "bf16")])
def test_threads_and_precision_are_those_that_are_used(wanted, used):
    found = training_environment(wanted)
    assert (found.precision, found.threads) == (used, torch.get_num_threads())
    # The build ("+cpu", "+cu130") is not part of the version in every package.
    assert torch.__version__.startswith(found.libraries["torch"])


def test_auto_is_what_the_machine_does():
    assert training_environment("auto").precision == ("bf16" if use_bf16("auto") else "fp32")


def test_a_gpu_is_called_by_its_name(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "A GPU")
    assert training_environment("fp32").device == "A GPU"
