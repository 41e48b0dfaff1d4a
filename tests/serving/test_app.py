from __future__ import annotations

import asyncio
import gzip
import json

import pytest
from fastapi import HTTPException
from starlette.testclient import TestClient

from tests.serving.conftest import SENTENCE
from tkre.serving.api.app import BodyLimit, create_app
from tkre.serving.api.limits import ServiceParams
from tkre.serving.extractor import RelationExtractor

SPANS = {"text": "anna lives in the old oslo .", "head": [0, 4], "tail": [22, 26]}
HOSTS = ("testserver",)  # that of the client for tests
LIMITS = ServiceParams(
    max_sentences=4, max_characters=100, max_body_bytes=2048, max_waiting=3, allowed_hosts=HOSTS
)


@pytest.fixture(scope="module")
def client(extractor):
    with TestClient(create_app(extractor, LIMITS), raise_server_exceptions=False) as client:
        yield client


def refused(response, status):
    """The errors of a refusal by the sentences' places; those of the request by their keys."""
    assert response.status_code == status, response.text
    assert "Traceback" not in response.text
    assert set(response.json()) == {"detail"}
    detail = response.json()["detail"]
    if isinstance(detail, str):
        return {}
    assert all(set(error) == {"loc", "msg", "type"} for error in detail)
    return {error["loc"][-1]: error["msg"] for error in detail}


def test_answers_equal_those_of_the_extractor(client, extractor):
    typed = {"sentence": SENTENCE, "head_type": "person", "tail_type": "place"}
    answer = client.post("/predict", json={"sentences": [SENTENCE, typed, SPANS]})
    assert answer.status_code == 200
    body = answer.json()["predictions"]
    for one, expected in zip(body, extractor([SENTENCE, typed, SPANS]), strict=True):
        assert set(one) == {
            "relation", "verdict", "probability", "abstained", "guess", "truncated", "untyped",
        }  # fmt: skip
        assert (one["relation"], one["guess"]) == (expected.relation, expected.guess)
        assert one["abstained"] == expected.abstained
        assert one["probability"] == pytest.approx(expected.probability, abs=1e-5)


def test_probabilities_on_request(client, schema):
    answer = client.post("/predict", json={"sentences": [SENTENCE], "probabilities": True})
    [one] = answer.json()["predictions"]
    assert sorted(one["probabilities"]) == schema.names
    assert sum(one["probabilities"].values()) == pytest.approx(1)


def test_uncertain_answer_is_withheld(client):
    doubtful = "<head>anna</head> and <tail>oslo</tail> ."
    [one] = client.post("/predict", json={"sentences": [doubtful]}).json()["predictions"]
    assert one["abstained"] == (one["relation"] is None)
    assert one["guess"] in ("lives_in", "home_of", "knows", "none")


def test_all_bad_sentences_are_named_with_reasons(client):
    bad = [
        "no tags",
        {"sentence": SENTENCE, "head_type": "persn"},
        SENTENCE,
        {**SPANS, "tail": [22, 99]},
    ]
    reasons = refused(client.post("/predict", json={"sentences": bad}), 422)
    assert reasons == {
        0: "tag <head> is missing in 'no tags'",
        1: "head_type 'persn' is not one of the entity types (did you mean 'person'?)",
        3: "tail [22, 99] is empty or outside the 28 characters of the text",
    }


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"sentences": []}, 422, "at least 1 item"),
        ({"sentences": SENTENCE}, 422, "Input should be a valid list"),
        ({"sentenses": [SENTENCE]}, 422, "Field required"),
        ({"sentences": [SENTENCE] * 5}, 422, "at most 4 items"),
        ({"sentences": ["a" * 101]}, 422, "101 characters are more than 100"),
        ({"sentences": [{**SPANS, "text": "a" * 101}]}, 422, "101 characters are more than 100"),
        ({"sentences": ["a" * 3000]}, 413, "longer than 2048 bytes"),
        ([SENTENCE], 422, "valid dictionary"),
        ({"sentences": [SENTENCE], "probabilities": "yes"}, 422, "should be a valid boolean"),
        ({"sentences": [SENTENCE], "probabilities": 1}, 422, "should be a valid boolean"),
        ({"sentences": [None]}, 422, "a tagged text or a record was expected, not NoneType"),
    ],
)
def test_invalid_requests(client, body, status, reason):
    response = client.post("/predict", json=body)
    refused(response, status)
    assert reason in response.text


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"{", 422, "not JSON (Expecting property name"),
        (b"", 422, "not JSON (Expecting value"),
        (b"[" * 2000, 422, "nested more than"),
        (b'{"sentences": ["\xe9"]}', 422, "not UTF-8"),
        (gzip.compress(b'{"sentences": []}', mtime=0), 422, "not UTF-8"),
        (b'{"sentences": [' + b"1" * 1900 + b"]}", 422, "an integer of 1900 digits"),
        # half of a surrogate pair, as keys of the request and of a sentence
        (b'{"sentences": ["a"], "\\ud800": 1}', 422, "half of a surrogate pair"),
        (b'{"sentences": [{"\\ud800": 1}]}', 422, "half of a surrogate pair"),
        (b'{"sentences": ["a"], "sentences": ["b"]}', 422, "stands twice"),
    ],
)
def test_bodies_that_are_not_json(client, content, status, reason):
    headers = {"Content-Type": "application/json; charset=latin-1"}
    response = client.post("/predict", content=content, headers=headers)
    refused(response, status)
    assert reason in response.text


def test_compressed_body_is_refused(client):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = client.post("/predict", content=gzip.compress(b"{}"), headers=headers)
    assert refused(response, 415) == {}
    assert "uncompressed" in response.json()["detail"]
    plain = client.post(
        "/predict", json={"sentences": [SENTENCE]}, headers={"Content-Encoding": "identity"}
    )
    assert plain.status_code == 200


def test_truncated_sentences_are_marked(extractor):
    long = SENTENCE + " then" * 200
    with TestClient(create_app(extractor, ServiceParams(allowed_hosts=HOSTS))) as client:
        answer = client.post("/predict", json={"sentences": [long, SENTENCE]}).json()
        assert client.get("/health").json()["max_length"] == 128
    assert [one["truncated"] for one in answer["predictions"]] == [True, False]


def test_other_routes_and_methods(client):
    assert refused(client.get("/predict"), 405) == {}
    assert refused(client.get("/nowhere"), 404) == {}
    assert refused(client.post("/predict", data={"a": "b"}), 415) == {}
    assert client.head("/health").status_code == 200
    start = client.get("/", follow_redirects=False)
    assert (start.status_code, start.headers["location"]) == (307, "docs")
    assert client.get("/").url.path == "/docs"


def test_relations_with_schema(client, extractor):
    body = client.get("/relations").json()
    assert [r["name"] for r in body["relations"]] == extractor.relations
    assert body["entity_types"] == ["person", "place"]
    [lives_in] = [r for r in body["relations"] if r["name"] == "lives_in"]
    assert lives_in == {
        "name": "lives_in",
        "definition": "The head is a person who lives in the tail, a place.",
        "phrase": "lives in",
        "head_types": ["person"],
        "tail_types": ["place"],
        "inverse": "home_of",
        "negative": False,
    }
    assert [r["name"] for r in body["relations"] if r["negative"]] == ["none"]


def test_relations_without_schema(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "relations.yml").unlink()
    bare = RelationExtractor.from_pretrained(tmp_path)
    with TestClient(create_app(bare, LIMITS)) as client:
        body = client.get("/relations").json()
    assert all(r["definition"] is None for r in body["relations"])
    assert body["entity_types"] == ["person", "place"]


def test_health(client, extractor):
    answer = client.get("/health")
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ready" and body["model"] == extractor.digest
    assert body["limits"]["max_sentences"] == 4
    assert (body["calibrated"], body["wanted_precision"]) == (True, 0.5)
    assert {"tkre", "python", "torch"} <= set(body["versions"])


def test_defect_is_500_without_details(extractor, monkeypatch, caplog):
    def broken(_):
        raise RuntimeError(f"a secret about {SENTENCE}")

    monkeypatch.setattr(RelationExtractor, "__call__", lambda self, rows: broken(rows))
    with TestClient(create_app(extractor, LIMITS), raise_server_exceptions=False) as client:
        answer = client.post("/predict", json={"sentences": [SENTENCE]})
    assert answer.status_code == 500
    assert answer.json()["detail"] == "the service failed"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text + caplog.text


def test_full_queue_is_503(extractor):
    """While the classifier is at work, three sentences may wait, and a fourth may not."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    started, go_on = threading.Event(), threading.Event()

    class Slow:
        def __getattr__(self, name):
            return getattr(extractor, name)

        def __call__(self, rows):
            started.set()
            go_on.wait(30)
            return extractor(rows)

    def ask(sentences):
        return client.post("/predict", json={"sentences": [SENTENCE] * sentences})

    with TestClient(create_app(Slow(), LIMITS)) as client, ThreadPoolExecutor(2) as threads:
        first = threads.submit(ask, 1)
        assert started.wait(30)
        second = threads.submit(ask, 3)
        while client.get("/health").json()["waiting"] < 3:
            pass
        third = ask(1)
        go_on.set()
        assert refused(third, 503) == {} and third.headers["retry-after"] == "1"
        assert "3 sentences wait already" in third.json()["detail"]
        assert [f.result().status_code for f in (first, second)] == [200, 200]


def test_ids_come_back_and_stand_once(client):
    rows = [{"id": 7, **SPANS}, SENTENCE, {"id": "b", "sentence": SENTENCE, "relation": "knows"}]
    answers = client.post("/predict", json={"sentences": rows}).json()["predictions"]
    assert [answer.get("id") for answer in answers] == ["7", None, "b"]
    twice = client.post("/predict", json={"sentences": [*rows, {"id": "7", **SPANS}]})
    assert refused(twice, 422) == {3: "id '7' is taken by sentence 0"}


def test_byte_order_mark_before_a_request(client):
    body = b"\xef\xbb\xbf" + json.dumps({"sentences": [SENTENCE]}).encode()
    answer = client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_service_answers_while_a_request_is_read(extractor, monkeypatch):
    """What grows with a request is no work of the event loop."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    from tkre.serving.api import app

    reading, go_on = threading.Event(), threading.Event()
    read = app.read_request

    def slow(*arguments):
        reading.set()
        assert go_on.wait(30)
        return read(*arguments)

    monkeypatch.setattr(app, "read_request", slow)
    body = {"sentences": [SENTENCE]}
    with TestClient(create_app(extractor, LIMITS)) as client, ThreadPoolExecutor(1) as threads:
        answer = threads.submit(client.post, "/predict", json=body)
        assert reading.wait(30)
        assert client.get("/health").status_code == 200 and not answer.done()
        go_on.set()
        assert answer.result().status_code == 200


def test_requests_have_their_time(extractor):
    """A pass over the classifier is not broken off; the request that waits for it is answered."""
    import threading

    go_on = threading.Event()

    class Stuck:
        def __getattr__(self, name):
            return getattr(extractor, name)

        def __call__(self, rows):
            assert go_on.wait(30)
            return extractor(rows)

    async def body_that_never_ends():
        message = {"type": "http.request", "body": b"{", "more_body": True}
        started.append(1)
        if len(started) > 1:
            await asyncio.sleep(30)
        return message

    params = LIMITS.model_copy(update={"max_seconds": 1})
    with TestClient(create_app(Stuck(), params)) as client:
        late = client.post("/predict", json={"sentences": [SENTENCE]})
        assert refused(late, 503) == {} and "not answered within 1 s" in late.text
        go_on.set()
    started, sent = [], []
    scope = {
        "type": "http", "method": "POST", "path": "/predict", "query_string": b"",
        "headers": [JSON, (b"host", b"testserver")],
    }  # fmt: skip

    async def send(message):
        sent.append(message)

    asyncio.run(create_app(extractor, params)(scope, body_that_never_ends, send))
    assert sent[0]["status"] == 408 and (b"connection", b"close") in sent[0]["headers"]
    assert b"did not arrive within 1 s" in sent[1]["body"]


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("LOCALHOST:8000", 200), ("127.0.0.1:8000", 200), ("10.1.2.3", 200),
     ("[::1]:8000", 200), ("labels.example:80", 200), ("evil.example", 421),
     ("localhost.evil.example", 421), ("127.0.0.1.evil.example", 421),
     ("evil.example:localhost", 421), ("labels.example@evil.example", 421), ("[", 421)],
)  # fmt: skip
def test_names_of_others_are_refused(extractor, host, status):
    """DNS rebinding: a page asks under its own name, which leads to this machine."""
    client = TestClient(create_app(extractor, ServiceParams(allowed_hosts=("Labels.example",))))
    for answer in (
        client.get("/health", headers={"Host": host}),
        client.post("/predict", json={"sentences": ["no tags"]}, headers={"Host": host}),
    ):
        assert answer.status_code in (status, 422 if status == 200 else status)
        if status == 421:
            assert refused(answer, 421) == {} and "--allowed-host" in answer.text
    anyone = TestClient(create_app(extractor, ServiceParams(allowed_hosts=("*",))))
    assert anyone.get("/health", headers={"Host": host}).status_code == 200


def test_security_headers(client):
    headers = client.get("/health").headers
    assert headers["x-content-type-options"] == "nosniff"
    assert "default-src 'self'" in headers["content-security-policy"]


def test_openapi_document(client):
    document = client.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    forms = body["schema"]["properties"]["sentences"]
    assert len(forms["items"]["anyOf"]) == 3 and forms["maxItems"] == 4
    assert {"408", "413", "415", "421", "422", "503"} <= set(
        document["paths"]["/predict"]["post"]["responses"]
    )
    for example in forms["examples"]:
        answer = client.post("/predict", json={"sentences": example})
        assert answer.status_code == 200, answer.text
    assert "4 sentences of 100 characters" in document["info"]["description"]
    assert json.dumps(document).count("http://") == 0


JSON = (b"content-type", b"application/json")


def passed(headers, chunks, max_bytes=10, method="POST"):
    """Messages sent, chunks read by the application behind the limit, and unread chunks."""
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
    asyncio.run(BodyLimit(app, max_bytes)(scope, receive, send))
    return sent, read, waiting


def test_body_within_the_limit():
    sent, read, _ = passed([JSON, (b"content-length", b"10")], [b"12345", b"67890"])
    assert sent[0]["status"] == 200 and read == [b"12345", b"67890"]


def test_declared_length_over_the_limit_is_refused_unread():
    sent, read, left = passed([JSON, (b"content-length", b"11")], [b"12345", b"678901"])
    assert sent[0]["status"] == 413 and read == [] and left == []
    assert b"longer than 10 bytes" in sent[1]["body"]
    assert (b"connection", b"close") in sent[0]["headers"]


def test_chunked_body_over_the_limit():
    read = [b"12345", b"67890", b"1", b"never"]
    with pytest.raises(HTTPException) as raised:
        passed([JSON, (b"transfer-encoding", b"chunked")], read)
    assert raised.value.status_code == 413


@pytest.mark.parametrize("kind", [b"application/json; charset=utf-8", b"application/ld+json"])
def test_json_content_types(kind):
    sent, *_ = passed([(b"content-type", kind)], [b"{}"])
    assert sent[0]["status"] == 200


@pytest.mark.parametrize("headers", [[], [(b"content-type", b"text/plain")]])
def test_other_content_types_are_refused(headers):
    sent, read, _ = passed(headers, [b"{}"])
    assert sent[0]["status"] == 415 and read == []
    assert passed(headers, [b""], method="GET")[0][0]["status"] == 200


def test_other_protocols_pass():
    async def app(scope, receive, send):
        scope["seen"] = True

    scope = {"type": "lifespan"}
    asyncio.run(BodyLimit(app, 1)(scope, None, None))
    assert scope["seen"]
