from __future__ import annotations

from dataclasses import replace

import pytest

from tests.generation.scripted import Scripted, cut_off, unreachable
from tests.generation.test_protocol import REQUEST
from tkre.generation.llm.protocol import UNANSWERED, Request, Response, Sampling
from tkre.generation.llm.registry import CachedModel
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.retry import HOPELESS, generate_with_retries
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import RetryParams

RETRY = RetryParams(attempts=3, budget_factor=2.0, temperature_step=0.3)
SAMPLING = Sampling(temperature=0.7, max_tokens=100, seed=5)
REQUESTS = [replace(REQUEST, id=i, sampling=SAMPLING) for i in ("a", "b", "c")]


def asked(model, requests=REQUESTS, params=RETRY, **how):
    return list(generate_with_retries(model, requests, params, name="test", **how))


def test_usable_answers_are_not_retried():
    model = Scripted(lambda r: {"to": r.id})
    assert [r.answer for r in asked(model)] == [{"to": i} for i in ("a", "b", "c")]
    assert model.asked == ["a", "b", "c"]


def test_only_failures_are_retried_with_other_sampling():
    model = Scripted(lambda r: cut_off(r) if r.id == "b" and r.attempt < 2 else {})
    responses = asked(model)
    assert model.asked == ["a", "b", "c", "b", "b"]
    assert [(r.request_id, r.reason) for r in responses[3:]] == [("b", "truncated"), ("b", None)]
    first, second, third = (r for r in model.requests if r.id == "b")
    assert [r.attempt for r in (first, second, third)] == [0, 1, 2]
    assert first == REQUESTS[1]
    assert second.sampling == Sampling(temperature=1.0, max_tokens=200, seed=6)
    assert third.sampling == Sampling(temperature=0.4, max_tokens=400, seed=7)
    assert len({r.digest("m") for r in (first, second, third)}) == 3


@pytest.mark.parametrize("attempts", [1, 2, 5])
def test_attempts_are_bounded_and_all_yielded(attempts):
    model = Scripted(lambda r: "no JSON")
    responses = asked(model, params=RetryParams(attempts=attempts))
    assert len(model.asked) == len(responses) == 3 * attempts
    assert {r.reason for r in responses} == {"not_json"}


def test_unusable_answers_are_retried():
    model = Scripted(lambda r: {"number": r.attempt})

    def check(key, answer):
        return "too small" if key == "b" and answer["number"] < 1 else None

    responses = asked(model, check=check)
    assert [(r.request_id, r.answer["number"]) for r in responses] == [
        ("a", 0), ("b", 0), ("c", 0), ("b", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("reason", sorted(UNANSWERED | HOPELESS))
def test_hopeless_failures_are_not_retried(reason):
    model = Scripted(lambda r: Response(r.id, reason=reason, error="x"))
    responses = asked(model)
    assert model.asked == ["a", "b", "c"]
    assert [r.reason for r in responses] == [reason] * 3


@pytest.mark.parametrize(("first", "lowest", "highest"), [(0.0, 0.0, 1.2), (1.9, 0.7, 2.0)])
def test_temperature_stays_in_bounds(first, lowest, highest):
    model = Scripted(cut_off)
    start = replace(REQUEST, sampling=Sampling(temperature=first, max_tokens=10))
    asked(model, [start], RetryParams(attempts=5, temperature_step=0.6))
    temperatures = [r.sampling.temperature for r in model.requests]
    assert len(temperatures) == 5
    assert (min(temperatures), max(temperatures)) == (lowest, highest)


def test_replay_without_later_attempts_ends():
    store = ResponseStore()
    live = CachedModel(Scripted(lambda r: cut_off(r) if r.id == "b" else {}), store)
    asked(live, params=RetryParams(attempts=1))
    responses = asked(Replay([store], "scripted", strict=True))
    assert [(r.request_id, r.reason) for r in responses] == [
        ("a", None), ("b", "truncated"), ("c", None),
    ]  # fmt: skip


def test_replay_repeats_the_attempts():
    store = ResponseStore()
    given = asked(CachedModel(Scripted(lambda r: {} if r.attempt > 1 else cut_off(r)), store))
    assert len(given) == 9
    assert asked(Replay([store], "scripted", strict=True)) == given


def test_later_attempts_are_rephrased_from_the_first():
    def rephrase(first: Request, attempt: int) -> Request:
        assert first in REQUESTS
        message = {"role": "user", "content": f"{first.id} for the {attempt}. time"}
        return replace(first, messages=(message,))

    model = Scripted(lambda r: cut_off(r) if r.id == "a" else {})
    asked(model, rephrase=rephrase)
    again = [r for r in model.requests if r.id == "a"]
    assert [r.messages[0]["content"] for r in again] == [
        "hi", "a for the 1. time", "a for the 2. time",
    ]  # fmt: skip
    assert [r.sampling.max_tokens for r in again] == [100, 200, 400]


def test_unanswered_requests_are_retried_by_the_next_run():
    store, reached = ResponseStore(), False

    def answer(request):
        if not reached:
            return unreachable(request)
        return {} if request.attempt else cut_off(request)

    model = Scripted(answer)
    asked(CachedModel(model, store), REQUESTS[:1])
    reached = True
    last = asked(CachedModel(model, store), REQUESTS[:1])
    assert [r.reason for r in last] == ["truncated", None]
    assert [r.attempt for r in model.requests] == [0, 0, 1]


def test_no_requests():
    model = Scripted(lambda r: {})
    assert asked(model, []) == [] and model.asked == []
