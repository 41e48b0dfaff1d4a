from __future__ import annotations

from tkre.training.trial import machine, stored_bytes, training_bytes


def test_this_machine(tmp_path):
    here = machine(tmp_path)
    assert here.threads >= 1 and here.cores >= 1
    assert here.memory_free > 0 and here.disk_free > 0
    assert here.device


def test_what_a_model_needs():
    assert training_bytes(1_000_000) == 24_000_000
    assert stored_bytes(1_000_000, 3) == 12_000_000
