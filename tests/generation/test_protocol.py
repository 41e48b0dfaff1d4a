from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tkre.generation.llm.protocol import UNANSWERED, Request, Response, Sampling

REQUEST = Request("id", ({"role": "user", "content": "hi"},), {"type": "object"}, Sampling())


def test_the_digest_knows_everything_that_decides_the_answer():
    digests = {
        REQUEST.digest("m"),
        REQUEST.digest("other model"),
        Request("id", ({"role": "user", "content": "ho"},), REQUEST.schema, Sampling()).digest("m"),
        Request("id", REQUEST.messages, {"type": "array"}, Sampling()).digest("m"),
        Request("id", REQUEST.messages, REQUEST.schema, Sampling(temperature=0.1)).digest("m"),
    }
    assert len(digests) == 5


def test_the_digest_does_not_know_the_name_the_attempt_and_the_order_of_keys():
    turned = ({"content": "hi", "role": "user"},)
    other = Request("x", turned, REQUEST.schema, Sampling(), attempt=2)
    assert other.digest("m") == REQUEST.digest("m")


def test_every_request_has_a_seed_of_its_own_and_always_the_same():
    others = [replace(REQUEST, id=f"r{n}") for n in range(200)]
    others += [replace(REQUEST, sampling=Sampling(seed=n)) for n in range(1, 200)]
    seeds = {r.seed("m") for r in others} | {REQUEST.seed("m"), REQUEST.seed("other model")}
    assert len(seeds) == 401
    assert all(0 <= seed < 2**31 for seed in seeds) and max(seeds) > 2**30
    # Of every process and platform: a recorded run can be repeated.
    assert REQUEST.seed("m") == 1069550595


@pytest.mark.parametrize(
    "response",
    [Response("a", answer={"x": [1]}, digest="d", model="m", seconds=1.5, source="vllm 1",
              finished="2026-01-01T00:00:00+00:00", tries=2),
     Response("a", reason="truncated", error="cut off", text="{", completion_tokens=3)],
)  # fmt: skip
def test_a_line_of_a_store_and_back(response):
    line = json.dumps(response.to_dict())
    assert Response.from_dict(json.loads(line)) == response
    assert "null" not in line


def test_recordings_have_an_id_and_a_response_only():
    response = Response.from_dict({"request_id": "a", "response": {"b": 1}, "unknown": 1})
    assert (response.answer, response.digest) == ({"b": 1}, None)


@pytest.mark.parametrize("record", [{}, {"response": {}}, {"request_id": "a", "response": "text"}])
def test_lines_that_are_no_response(record):
    with pytest.raises(TypeError):
        Response.from_dict(record)


def test_what_the_model_said_is_settled_and_what_the_server_did_not_answer_is_not():
    assert Response("a", answer={}).settled
    assert all(Response("a", reason=r).settled for r in ("truncated", "not_json", "refused"))
    assert not any(Response("a", reason=reason).settled for reason in UNANSWERED)
