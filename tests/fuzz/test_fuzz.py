"""The fuzz command in short; the whole is ``python -m tests.fuzz`` (100,000 inputs)."""

from __future__ import annotations

import pytest

from tests.fuzz.targets import Fuzz


@pytest.mark.parametrize("seed", [1, 2])
def test_generated_inputs_are_read_or_refused_in_words(seed):
    fuzz = Fuzz(seed)
    fuzz.run(1000, seconds=60)
    assert not fuzz.failures, "\n".join(fuzz.lines())
    assert len(fuzz.counts) == 6
    for name, count in fuzz.counts.items():
        assert fuzz.refused[name] < count, f"{name}: nothing was read"


def test_a_drop_and_a_traceback_would_be_seen(monkeypatch):
    fuzz = Fuzz(1)
    monkeypatch.setattr("tests.fuzz.targets.read_corpus", lambda *_: 1 / 0)
    monkeypatch.setattr("tests.fuzz.targets.read_unlabelled", lambda *_: [])
    fuzz.run(100, seconds=60)
    assert fuzz.failures["traceback"] and fuzz.failures["Dropped"]
