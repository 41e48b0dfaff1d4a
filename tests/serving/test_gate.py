from __future__ import annotations

import asyncio

import pytest
from fastapi import HTTPException

from tkre.serving.api.app import Gate

JSON = (b"content-type", b"application/json")


def passed(headers, chunks, max_bytes=10, method="POST"):
    """What is behind the gate reads all; the messages that were sent, and the chunks that were."""
    waiting, sent, read = list(chunks), [], []

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        while True:
            message = await receive()
            read.append(message["body"])
            if not message["more_body"]:
                break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ok"})

    scope = {"type": "http", "method": method, "headers": headers}
    asyncio.run(Gate(app, max_bytes)(scope, receive, send))
    return sent, read, waiting


def test_a_body_within_the_limit_passes():
    sent, read, _ = passed([JSON, (b"content-length", b"10")], [b"12345", b"67890"])
    assert sent[0]["status"] == 200 and read == [b"12345", b"67890"]
    headers = dict(sent[0]["headers"])
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"default-src 'self'" in headers[b"content-security-policy"]


def test_an_announced_body_is_refused_unread_and_the_rest_thrown_away():
    sent, read, left = passed([JSON, (b"content-length", b"11")], [b"12345", b"678901"])
    assert sent[0]["status"] == 413 and read == [] and left == []
    assert b"longer than 10 bytes" in sent[1]["body"]
    assert (b"connection", b"close") in sent[0]["headers"]


def test_a_body_in_chunks_is_refused_when_it_gets_too_long():
    read = [b"12345", b"67890", b"1", b"never"]
    with pytest.raises(HTTPException) as raised:
        passed([JSON, (b"transfer-encoding", b"chunked")], read)
    assert raised.value.status_code == 413


@pytest.mark.parametrize("kind", [b"application/json; charset=utf-8", b"application/ld+json"])
def test_kinds_of_json(kind):
    sent, *_ = passed([(b"content-type", kind)], [b"{}"])
    assert sent[0]["status"] == 200


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"text/plain")]])
def test_a_body_that_is_not_announced_as_json(headers):
    sent, read, _ = passed(headers, [b"{}"])
    assert sent[0]["status"] == 415 and read == []
    assert passed(headers, [b""], method="GET")[0][0]["status"] == 200


def test_other_protocols_pass():
    async def app(scope, receive, send):
        scope["seen"] = True

    scope = {"type": "lifespan"}
    asyncio.run(Gate(app, 1)(scope, None, None))
    assert scope["seen"]
