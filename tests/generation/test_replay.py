from __future__ import annotations

import json
import logging
from dataclasses import replace

import pytest

from tests.generation.test_protocol import REQUEST
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.replay import MissingResponse, Replay
from tkre.generation.llm.store import ResponseStore

DIGEST = REQUEST.digest("m")
GOOD = {"text": "yes"}


def store(*responses: Response) -> ResponseStore:
    kept = ResponseStore()
    for response in responses:
        kept.append(response)
    return kept


def replay(*stores: ResponseStore, model: str = "m", strict: bool = False) -> Replay:
    return Replay(stores, model, strict=strict)


def test_replay_keeps_the_order_of_requests():
    requests = [replace(REQUEST, id=i) for i in ("b", "a")]
    known = replay(store(*(Response(i, answer={"is": i}) for i in ("a", "b"))))
    assert [r.answer for r in known.generate(requests)] == [{"is": "b"}, {"is": "a"}]


def test_unsigned_answers_are_accepted_and_logged_once(caplog):
    requests = [replace(REQUEST, id=i) for i in ("a", "b")]
    known = replay(store(*(Response(i, answer=GOOD) for i in ("a", "b"))))
    with caplog.at_level(logging.INFO):
        list(known.generate(requests))
    assert caplog.text.count("2 of 2 responses carry no digest") == 1


def test_unsigned_empty_answer_is_accepted():
    assert replay(store(Response(REQUEST.id, answer={}))).holds(REQUEST)


def test_first_store_wins():
    exact = {"digest": DIGEST, "model": "m"}
    first = store(Response(REQUEST.id, answer={"of": 1}, **exact))
    second = store(Response(REQUEST.id, answer={"of": 2}, **exact))
    assert next(replay(first, second).generate([REQUEST])).answer == {"of": 1}
    assert next(replay(second, first).generate([REQUEST])).answer == {"of": 2}
    assert next(replay(store(), second).generate([REQUEST])).answer == {"of": 2}


def test_exact_answer_wins_over_unsigned():
    named = store(Response(REQUEST.id, answer={"of": "name"}))
    exact = store(Response(REQUEST.id, answer={"of": "digest"}, digest=DIGEST))
    for stores in ((named, exact), (exact, named)):
        assert next(replay(*stores).generate([REQUEST])).answer == {"of": "digest"}


def test_unsigned_answers_are_ignored_beside_signed_ones_of_the_model():
    other = replace(REQUEST, id="other")
    mixed = store(
        Response(REQUEST.id, answer=GOOD),
        Response("other", answer=GOOD, digest=other.digest("m"), model="m"),
    )
    assert replay(mixed).holds(other)
    assert not replay(mixed).holds(REQUEST)
    assert replay(mixed, model="n").holds(REQUEST)  # m's digests say nothing of n
    plain = store(Response(REQUEST.id, answer={"of": "plain"}))
    assert next(replay(mixed, plain).generate([REQUEST])).answer == {"of": "plain"}


def test_unsigned_answer_belongs_to_its_named_model():
    of_n = store(Response(REQUEST.id, answer=GOOD, model="n"))
    assert replay(of_n, model="n").holds(REQUEST)
    assert not replay(of_n).holds(REQUEST)
    assert not replay(of_n, model="n", strict=True).holds(REQUEST)


def test_nameless_answers_are_ignored_beside_named_ones():
    other = replace(REQUEST, id="other")
    mixed = store(Response(REQUEST.id, answer=GOOD), Response("other", answer=GOOD, model="n"))
    assert replay(mixed).holds(REQUEST) and not replay(mixed).holds(other)
    assert replay(mixed, model="n").holds(other) and not replay(mixed, model="n").holds(REQUEST)


def test_strict_replay_refuses_unsigned_answers():
    plain = store(Response(REQUEST.id, answer=GOOD))
    assert replay(plain).can_answer(REQUEST)
    assert not replay(plain, strict=True).can_answer(REQUEST)
    with pytest.raises(MissingResponse, match="strict replay refuses"):
        next(replay(plain, strict=True).generate([REQUEST]))
    assert replay(store(Response(REQUEST.id, answer=GOOD, digest=DIGEST)), strict=True).holds(
        REQUEST
    )


def test_later_attempts_need_a_digest():
    again = replace(REQUEST, attempt=1)
    assert not replay(store(Response(REQUEST.id, answer=GOOD))).can_answer(again)
    assert replay(store(Response(REQUEST.id, answer=GOOD, digest=DIGEST))).can_answer(again)


def test_missing_responses_are_raised_first():
    answers = replay(store(Response("a", answer=GOOD))).generate(
        [replace(REQUEST, id="a"), replace(REQUEST, id="b/c")]
    )
    with pytest.raises(MissingResponse, match=r"(?s)1 response.*not in the store: b/c.*live"):
        next(answers)


def test_answer_with_another_digest_is_refused():
    known = replay(store(Response(REQUEST.id, answer=GOOD, digest="of another prompt")))
    assert not known.can_answer(REQUEST)
    with pytest.raises(MissingResponse, match=f"not as answers to this very.*{REQUEST.id}"):
        list(known.generate([REQUEST]))


def test_missing_model_lists_stored_models():
    held = [Response(str(n), answer=GOOD, digest="d", model="big") for n in range(3)]
    held.append(Response("x", answer=GOOD, digest="d", model="small"))
    with pytest.raises(MissingResponse, match=r"of a replay: big \(3\), small \(1\)"):
        list(replay(store(*held[:2]), store(*held[2:])).generate([REQUEST]))
    with pytest.raises(MissingResponse) as error:
        list(replay(store(*held), model="small").generate([REQUEST]))
    assert "big" not in str(error.value)


def test_only_exact_settled_failures_are_replayed():
    cut = Response(REQUEST.id, reason="truncated", error="cut off")
    assert not replay(store(cut)).can_answer(REQUEST)
    exact = replace(cut, digest=DIGEST)
    assert list(replay(store(exact), strict=True).generate([REQUEST])) == [exact]
    away = replace(exact, reason="unreachable")
    assert not replay(store(away)).can_answer(REQUEST)


def test_answer_in_any_store_wins_over_a_failure():
    cut = Response(REQUEST.id, reason="truncated", digest=DIGEST, model="m")
    good = Response(REQUEST.id, answer=GOOD, digest=DIGEST, model="m")
    assert next(replay(store(cut), store(good)).generate([REQUEST])).answer == GOOD


def test_sources_are_logged(caplog):
    requests = [replace(REQUEST, id=i) for i in ("a", "b", "c")]
    told = [("vllm 1", "a"), ("vllm 1", "b"), ("openai host", "c")]
    known = store(*(Response(i, answer=GOOD, digest=DIGEST, model="m", source=s) for s, i in told))
    with caplog.at_level(logging.INFO):
        list(replay(known).generate(requests))
    assert "the responses come from 2 of m by vllm 1, 1 of m by openai host" in caplog.text
    assert "digest" not in caplog.text


def test_many_missing_responses_are_counted():
    requests = [replace(REQUEST, id=f"r{n}") for n in range(30)]
    with pytest.raises(MissingResponse, match=r"r9 and 20 more"):
        list(replay(store()).generate(requests))


def test_recorded_text_is_parsed_like_that_of_a_live_model():
    fenced = Response(REQUEST.id, text='Sure!\n```json\n{"text": "yes"}\n```')
    assert next(replay(store(fenced)).generate([REQUEST])).answer == GOOD
    worse = Response(REQUEST.id, text="I would rather not.")
    assert next(replay(store(fenced, worse)).generate([REQUEST])).answer == GOOD


def test_recorded_text_without_an_answer_is_named_by_file_and_line(tmp_path):
    path = tmp_path / "recordings.jsonl"
    lines = [{"request_id": "x", "response": {}}, {"request_id": REQUEST.id, "response": "No \x1b"}]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    known = replay(ResponseStore(path))
    assert not known.can_answer(REQUEST)
    with pytest.raises(MissingResponse) as error:
        list(known.generate([REQUEST]))
    [line] = [line for line in str(error.value).split("\n") if "recordings.jsonl, line 2" in line]
    assert REQUEST.id in line and "not_json" in line and "'No" in line and "\x1b" not in line
