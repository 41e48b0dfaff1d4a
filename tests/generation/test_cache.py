from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.generation.scripted import Scripted, cut_off, unreachable
from tests.generation.test_protocol import REQUEST
from tkre.generation.llm.cache import CachedModel
from tkre.generation.llm.protocol import Response, Sampling
from tkre.generation.llm.store import ResponseStore

REQUESTS = [replace(REQUEST, id=i) for i in ("a", "b", "c")]


def test_a_second_run_asks_for_nothing(tmp_path):
    path = tmp_path / "r.jsonl"
    first = Scripted(lambda r: {"to": r.id})
    given = list(CachedModel(first, ResponseStore(path)).generate(REQUESTS))
    second = Scripted(lambda r: {"never": r.id})
    again = list(CachedModel(second, ResponseStore(path)).generate(REQUESTS))
    assert (first.asked, second.asked) == (["a", "b", "c"], [])
    assert given == again


def test_what_is_stored_says_where_it_came_from(tmp_path):
    path = tmp_path / "r.jsonl"
    model = Scripted(lambda r: {} if r.id != "b" else "{")
    given = list(CachedModel(model, ResponseStore(path)).generate(REQUESTS))
    stored = ResponseStore(path).all()
    assert stored == given
    for request, response in zip(REQUESTS, stored, strict=True):
        assert (response.model, response.source) == ("scripted", "script 1.0")
        assert response.digest == request.digest("scripted")
        age = datetime.now(UTC) - datetime.fromisoformat(response.finished)
        assert timedelta(0) <= age < timedelta(minutes=1)


def test_the_source_is_that_of_the_backend_once_it_has_answered():
    def answer(request):
        model.source = "script 2.0"  # it knows its version only when it has been started
        return {}

    model = Scripted(answer)
    [response] = CachedModel(model, ResponseStore()).generate(REQUESTS[:1])
    assert response.source == "script 2.0"


def test_a_run_that_dies_has_kept_what_came(tmp_path):
    path = tmp_path / "r.jsonl"

    def dies_at_b(request):
        if request.id == "b":
            raise KeyboardInterrupt
        return {"to": request.id}

    with pytest.raises(KeyboardInterrupt):
        list(CachedModel(Scripted(dies_at_b), ResponseStore(path)).generate(REQUESTS))
    rest = Scripted(lambda r: {"to": r.id})
    assert len(list(CachedModel(rest, ResponseStore(path)).generate(REQUESTS))) == 3
    assert rest.asked == ["b", "c"]


def test_what_changed_is_asked_again_and_nothing_else(tmp_path):
    path = tmp_path / "r.jsonl"
    list(CachedModel(Scripted(lambda r: {}), ResponseStore(path)).generate(REQUESTS))
    changed = [REQUESTS[0], replace(REQUESTS[1], sampling=Sampling(seed=9)), REQUESTS[2]]
    model = Scripted(lambda r: {})
    list(CachedModel(model, ResponseStore(path)).generate(changed))
    assert model.asked == ["b"]


def test_what_the_model_said_badly_is_not_asked_again(tmp_path):
    store = ResponseStore(tmp_path / "r.jsonl")
    [failed] = CachedModel(Scripted(lambda r: "{cut"), store).generate(REQUESTS[:1])
    assert (failed.reason, failed.text) == ("not_json", "{cut")
    never = Scripted(lambda r: {})
    remembering = CachedModel(never, ResponseStore(store.path))
    assert remembering.holds(REQUESTS[0])
    assert list(remembering.generate(REQUESTS[:1])) == [failed]
    assert never.asked == []


def test_what_was_not_answered_is_kept_but_asked_again(tmp_path):
    store = ResponseStore(tmp_path / "r.jsonl")
    [failed] = CachedModel(Scripted(unreachable), store).generate(REQUESTS[:1])
    assert failed.reason == "unreachable" and failed.digest
    again = CachedModel(Scripted(lambda r: {}), store)
    assert not again.holds(REQUESTS[0]) and again.can_answer(REQUESTS[0])
    [good] = again.generate(REQUESTS[:1])
    assert good.answer == {} and again.holds(REQUESTS[0])
    assert [a.reason for a in store.attempts("a")] == ["unreachable", None]


def test_two_on_one_file_see_what_the_other_has_been_told(tmp_path):
    path = tmp_path / "r.jsonl"
    models = [Scripted(lambda r: {"to": r.id}) for _ in range(2)]
    first, second = (CachedModel(model, ResponseStore(path)) for model in models)
    list(first.generate(REQUESTS[:2]))
    assert [r.answer["to"] for r in second.generate(REQUESTS)] == ["a", "b", "c"]
    list(first.generate(REQUESTS))
    assert [model.asked for model in models] == [["a", "b"], ["c"]]


def test_a_batch_is_summed_up_with_the_reasons_of_its_failures(caplog):
    answers = {"a": Response("a", answer={}, prompt_tokens=30, completion_tokens=7)}
    model = Scripted(lambda r: answers.get(r.id) or cut_off(r))
    with caplog.at_level(logging.INFO):
        list(CachedModel(model, ResponseStore()).generate(REQUESTS))
    [summary, example] = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert summary.getMessage() == (
        "scripted: 3 sent, 1 answered, 2 failed (truncated 2); 30 tokens read, 2055 written"
    )
    assert example.getMessage() == "first failure, b: cut off at 1024 tokens"
    assert "3 requests, 0 of them answered by the store" in caplog.text


def test_a_batch_without_failures_is_no_warning_and_one_that_ended_early_says_so(caplog):
    def dies_at_b(request):
        if request.id == "b":
            raise KeyboardInterrupt
        return {}

    with caplog.at_level(logging.INFO), pytest.raises(KeyboardInterrupt):
        list(CachedModel(Scripted(dies_at_b), ResponseStore()).generate(REQUESTS))
    assert "3 sent, 1 answered, 0 failed, 2 open; 0 tokens" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.INFO}
