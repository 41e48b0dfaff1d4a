from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from tests.generation.test_protocol import REQUEST
from tkre.generation.protocol import Response
from tkre.generation.replay import MissingResponse, Replay
from tkre.generation.store import ResponseStore


def store(*responses: Response) -> ResponseStore:
    kept = ResponseStore()
    for response in responses:
        kept.append(response)
    return kept


def test_answers_in_the_order_of_the_requests():
    requests = [replace(REQUEST, id=i) for i in ("b", "a")]
    replay = Replay(store(*(Response(i, answer={"is": i}) for i in ("a", "b"))), "m")
    assert [r.answer for r in replay.generate(requests)] == [{"is": "b"}, {"is": "a"}]


def test_answers_without_a_digest_are_taken_and_said_once(caplog):
    requests = [replace(REQUEST, id=i) for i in ("a", "b")]
    replay = Replay(store(*(Response(i, answer={}) for i in ("a", "b"))), "m")
    with caplog.at_level(logging.INFO):
        list(replay.generate(requests))
    assert caplog.text.count("2 of 2 responses carry no digest") == 1


def test_a_missing_answer_is_named_before_any_is_given():
    replay = Replay(store(Response("a", answer={})), "m")
    answers = replay.generate([replace(REQUEST, id="a"), replace(REQUEST, id="b/c")])
    with pytest.raises(MissingResponse, match=r"(?s)1 response.*not in the store: b/c.*live"):
        next(answers)


def test_an_answer_to_another_question_is_refused():
    old = Response(REQUEST.id, answer={}, digest="of another prompt")
    replay = Replay(store(old), "m")
    assert not replay.can_answer(REQUEST)
    with pytest.raises(MissingResponse, match=f"answers to other prompts.*{REQUEST.id}"):
        list(replay.generate([REQUEST]))


def test_failures_are_no_answers():
    assert not Replay(store(Response(REQUEST.id, error="cut off")), "m").can_answer(REQUEST)


def test_many_missing_ones_are_a_number():
    requests = [replace(REQUEST, id=f"r{n}") for n in range(30)]
    with pytest.raises(MissingResponse, match=r"r9 and 20 more"):
        list(Replay(store(), "m").generate(requests))
