from __future__ import annotations

from dataclasses import replace

import pytest

from tests.generation.scripted import Scripted
from tests.generation.test_protocol import REQUEST
from tkre.generation.protocol import Sampling
from tkre.generation.remembering import Remembering
from tkre.generation.store import ResponseStore

REQUESTS = [replace(REQUEST, id=i) for i in ("a", "b", "c")]


def test_a_second_run_asks_for_nothing(tmp_path):
    path = tmp_path / "r.jsonl"
    first = Scripted(lambda r: {"to": r.id})
    given = list(Remembering(first, ResponseStore(path)).generate(REQUESTS))
    second = Scripted(lambda r: {"never": r.id})
    again = list(Remembering(second, ResponseStore(path)).generate(REQUESTS))
    assert (first.asked, second.asked) == (["a", "b", "c"], [])
    assert given == again
    assert [r.model for r in again] == ["scripted"] * 3


def test_a_run_that_dies_has_kept_what_came(tmp_path):
    path = tmp_path / "r.jsonl"

    def dies_at_b(request):
        if request.id == "b":
            raise KeyboardInterrupt
        return {"to": request.id}

    with pytest.raises(KeyboardInterrupt):
        list(Remembering(Scripted(dies_at_b), ResponseStore(path)).generate(REQUESTS))
    rest = Scripted(lambda r: {"to": r.id})
    assert len(list(Remembering(rest, ResponseStore(path)).generate(REQUESTS))) == 3
    assert rest.asked == ["b", "c"]


def test_what_changed_is_asked_again_and_nothing_else(tmp_path):
    path = tmp_path / "r.jsonl"
    list(Remembering(Scripted(lambda r: {}), ResponseStore(path)).generate(REQUESTS))
    changed = [REQUESTS[0], replace(REQUESTS[1], sampling=Sampling(seed=9)), REQUESTS[2]]
    model = Scripted(lambda r: {})
    list(Remembering(model, ResponseStore(path)).generate(changed))
    assert model.asked == ["b"]


def test_failures_are_kept_but_asked_again(tmp_path):
    store = ResponseStore(tmp_path / "r.jsonl")
    [failed] = Remembering(Scripted(lambda r: "{cut"), store).generate(REQUESTS[:1])
    assert (failed.error, failed.text) == ("not JSON", "{cut")
    [good] = Remembering(Scripted(lambda r: {}), store).generate(REQUESTS[:1])
    assert good.answer == {}
    assert len(store.attempts("a")) == 2
