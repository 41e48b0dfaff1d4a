from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tkre.generation.llm.protocol import UNANSWERED, Request, Response, Sampling

REQUEST = Request("id", ({"role": "user", "content": "hi"},), {"type": "object"}, Sampling())


def test_digest_covers_messages_model_sampling_and_schema():
    digests = {
        REQUEST.digest("m"),
        REQUEST.digest("other model"),
        Request("id", ({"role": "user", "content": "ho"},), REQUEST.schema, Sampling()).digest("m"),
        Request("id", REQUEST.messages, {"type": "array"}, Sampling()).digest("m"),
        Request("id", REQUEST.messages, REQUEST.schema, Sampling(temperature=0.1)).digest("m"),
    }
    assert len(digests) == 5


def test_digest_ignores_id_attempt_and_key_order():
    turned = ({"content": "hi", "role": "user"},)
    other = Request("x", turned, REQUEST.schema, Sampling(), attempt=2)
    assert other.digest("m") == REQUEST.digest("m")


def test_request_seeds_are_distinct_and_stable():
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
def test_response_round_trip(response):
    line = json.dumps(response.to_dict())
    assert Response.from_dict(json.loads(line)) == response
    assert "null" not in line


def test_recordings_need_only_id_and_response():
    response = Response.from_dict({"request_id": "a", "response": {"b": 1}, "unknown": 1})
    assert (response.answer, response.digest) == ({"b": 1}, None)


@pytest.mark.parametrize("record", [{}, {"response": {}}, {"request_id": "a", "response": "text"}])
def test_invalid_response_records(record):
    with pytest.raises(TypeError):
        Response.from_dict(record)


def test_settled_responses():
    assert Response("a", answer={}).settled
    assert all(Response("a", reason=r).settled for r in ("truncated", "not_json", "refused"))
    assert not any(Response("a", reason=reason).settled for reason in UNANSWERED)
