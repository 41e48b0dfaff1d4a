from __future__ import annotations

import json

import pytest

from tkre.generation.protocol import Request, Response, Sampling

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


def test_the_digest_does_not_know_the_name_and_the_order_of_keys():
    turned = ({"content": "hi", "role": "user"},)
    assert Request("x", turned, REQUEST.schema, Sampling()).digest("m") == REQUEST.digest("m")


@pytest.mark.parametrize(
    "response",
    [Response("a", answer={"x": [1]}, digest="d", model="m", seconds=1.5),
     Response("a", error="cut off", text="{", completion_tokens=3)],
)  # fmt: skip
def test_a_line_of_a_store_and_back(response):
    line = json.dumps(response.to_dict())
    assert Response.from_dict(json.loads(line)) == response
    assert "null" not in line


def test_recordings_have_an_id_and_a_response_only():
    response = Response.from_dict({"request_id": "a", "response": {"b": 1}})
    assert (response.answer, response.digest) == ({"b": 1}, None)


@pytest.mark.parametrize("record", [{}, {"response": {}}, {"request_id": "a", "response": "text"}])
def test_lines_that_are_no_response(record):
    with pytest.raises(TypeError):
        Response.from_dict(record)
