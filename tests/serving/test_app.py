from __future__ import annotations

import gzip
import json

import pytest
from starlette.testclient import TestClient

from tests.serving.conftest import SENTENCE
from tkre.serving.api.app import create_app
from tkre.serving.api.schemas import ServiceParams
from tkre.serving.extractor import RelationExtractor

SPANS = {"text": "anna lives in the old oslo .", "head": [0, 4], "tail": [22, 26]}
LIMITS = ServiceParams(max_sentences=4, max_characters=100, max_body_bytes=2048, max_waiting=3)


@pytest.fixture(scope="module")
def client(extractor):
    with TestClient(create_app(extractor, LIMITS), raise_server_exceptions=False) as client:
        yield client


def refused(response, status):
    """The reasons of a refusal by the sentences' places."""
    assert response.status_code == status, response.text
    assert "Traceback" not in response.text
    assert set(response.json()) == {"detail", "problems"}
    return {problem["item"]: problem["reason"] for problem in response.json()["problems"]}


def test_all_three_forms_are_labelled_as_the_extractor_does(client, extractor):
    typed = {"sentence": SENTENCE, "head_type": "person", "tail_type": "place"}
    answer = client.post("/predict", json={"sentences": [SENTENCE, typed, SPANS]})
    assert answer.status_code == 200
    told = answer.json()["predictions"]
    for one, expected in zip(told, extractor([SENTENCE, typed, SPANS]), strict=True):
        assert set(one) == {"relation", "probability", "abstained", "guess", "truncated"}
        assert (one["relation"], one["guess"]) == (expected.relation, expected.guess)
        assert one["abstained"] == expected.abstained
        assert one["probability"] == pytest.approx(expected.probability, abs=1e-5)


def test_probabilities_of_all_relations_are_told_if_they_are_wanted(client, schema):
    answer = client.post("/predict", json={"sentences": [SENTENCE], "probabilities": True})
    [one] = answer.json()["predictions"]
    assert sorted(one["probabilities"]) == schema.names
    assert sum(one["probabilities"].values()) == pytest.approx(1)


def test_an_answer_that_is_not_sure_enough_is_withheld(client):
    doubtful = "<head>anna</head> and <tail>oslo</tail> ."
    [one] = client.post("/predict", json={"sentences": [doubtful]}).json()["predictions"]
    assert one["abstained"] == (one["relation"] is None)
    assert one["guess"] in ("lives_in", "home_of", "knows", "none")


def test_every_bad_sentence_is_named_with_its_reason(client):
    bad = [
        "no tags",
        {"sentence": SENTENCE, "head_type": "persn"},
        SENTENCE,
        {**SPANS, "tail": [22, 99]},
    ]
    reasons = refused(client.post("/predict", json={"sentences": bad}), 422)
    assert reasons == {
        0: "tag <head> is missing in 'no tags'",
        1: "head_type 'persn' is not a type that this classifier knows (did you mean 'person'?); "
        "it knows person, place",
        3: "tail [22, 99] is empty or outside the 28 characters of the text",
    }


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        ({"sentences": []}, 422, "at least 1 item"),
        ({"sentences": SENTENCE}, 422, "sentences: Input should be a valid list"),
        ({"sentenses": [SENTENCE]}, 422, "Field required"),
        ({"sentences": [SENTENCE] * 5}, 422, "5 sentences are more than 4"),
        ({"sentences": ["a" * 101]}, 422, "101 characters are more than 100"),
        ({"sentences": [{**SPANS, "text": "a" * 101}]}, 422, "101 characters are more than 100"),
        ({"sentences": ["a" * 3000]}, 413, "longer than 2048 bytes"),
        ([SENTENCE], 422, "valid dictionary"),
        ({"sentences": [SENTENCE], "probabilities": "yes"}, 422, "probabilities: Input should be"),
        ({"sentences": [SENTENCE], "probabilities": 1}, 422, "should be a valid boolean"),
        ({"sentences": [None]}, 422, "a tagged text or an object was expected, not null"),
    ],
)
def test_what_is_too_much_or_not_a_request(client, body, status, reason):
    response = client.post("/predict", json=body)
    refused(response, status)
    assert reason in response.text


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"{", 400, "the body is not JSON: "),
        (b"", 422, "Field required"),
        (b"[" * 2000, 400, "the body is nested too deeply"),
        (b'{"sentences": ["\xe9"]}', 400, "not UTF-8, which JSON is whatever the header says: "),
        (gzip.compress(b'{"sentences": []}', mtime=0), 400, "byte 1 is 0x8b"),
        (b'{"sentences": [' + b"1" * 1900 + b"]}", 422, "not a number"),
    ],
)
def test_what_is_not_json(client, content, status, reason):
    headers = {"Content-Type": "application/json; charset=latin-1"}
    response = client.post("/predict", content=content, headers=headers)
    refused(response, status)
    assert reason in response.text


def test_a_number_that_is_too_long_is_named(extractor):
    with TestClient(create_app(extractor, ServiceParams())) as client:
        content, headers = b"[" + b"1" * 5000 + b"]", {"Content-Type": "application/json"}
        response = client.post("/predict", content=content, headers=headers)
    assert refused(response, 400) == {}
    assert response.json()["detail"] == "the body has a number of more than 4300 digits"


def test_a_compressed_body_is_told_to_be_one(client):
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    response = client.post("/predict", content=gzip.compress(b"{}"), headers=headers)
    assert refused(response, 415) == {}
    assert response.json()["detail"] == "a compressed body is not read: send it as it is"
    plain = client.post(
        "/predict", json={"sentences": [SENTENCE]}, headers={"Content-Encoding": "identity"}
    )
    assert plain.status_code == 200


def test_a_sentence_that_is_read_in_part_is_told(extractor):
    long = SENTENCE + " then" * 200
    with TestClient(create_app(extractor, ServiceParams())) as client:
        answer = client.post("/predict", json={"sentences": [long, SENTENCE]}).json()
        assert client.get("/health").json()["max_length"] == 128
    assert [one["truncated"] for one in answer["predictions"]] == [True, False]


def test_other_ways_to_ask(client):
    assert refused(client.get("/predict"), 405) == {}
    assert refused(client.get("/nowhere"), 404) == {}
    assert refused(client.post("/predict", data={"a": "b"}), 415) == {}
    assert client.head("/health").status_code == 200
    start = client.get("/", follow_redirects=False)
    assert (start.status_code, start.headers["location"]) == (307, "docs")
    assert client.get("/").url.path == "/docs"


def test_the_relations_with_their_meaning(client, extractor):
    told = client.get("/relations").json()
    assert [r["name"] for r in told["relations"]] == extractor.relations
    assert told["entity_types"] == ["person", "place"]
    [lives_in] = [r for r in told["relations"] if r["name"] == "lives_in"]
    assert lives_in == {
        "name": "lives_in",
        "definition": "The head is a person who lives in the tail, a place.",
        "phrase": "lives in",
        "head_types": ["person"],
        "tail_types": ["place"],
        "inverse": "home_of",
        "negative": False,
    }
    assert [r["name"] for r in told["relations"] if r["negative"]] == ["none"]


def test_the_relations_without_a_schema(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "relations.yml").unlink()
    bare = RelationExtractor.from_pretrained(tmp_path)
    with TestClient(create_app(bare, LIMITS)) as client:
        told = client.get("/relations").json()
    assert all(r["definition"] is None for r in told["relations"])
    assert told["entity_types"] == ["person", "place"]


def test_health_says_what_is_served(client, extractor):
    answer = client.get("/health")
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "ready" and told["model"] == extractor.digest
    assert told["limits"]["max_sentences"] == 4
    assert (told["calibrated"], told["wanted_precision"]) == (True, 0.5)
    assert {"tkre", "python", "torch"} <= set(told["versions"])


def test_a_defect_tells_the_client_nothing_of_its_inside(extractor, monkeypatch, caplog):
    def broken(_):
        raise RuntimeError(f"a secret about {SENTENCE}")

    monkeypatch.setattr(RelationExtractor, "__call__", lambda self, rows: broken(rows))
    with TestClient(create_app(extractor, LIMITS), raise_server_exceptions=False) as client:
        answer = client.post("/predict", json={"sentences": [SENTENCE]})
    assert answer.status_code == 500
    assert answer.json()["detail"] == "the service failed"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "secret" not in answer.text + caplog.text


def test_a_full_queue_is_said(extractor):
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


def test_the_openapi_document_describes_the_forms(client):
    document = client.get("/openapi.json").json()
    forms = document["components"]["schemas"]["PredictRequest"]["properties"]["sentences"]
    assert {"413", "415", "422", "503"} <= set(document["paths"]["/predict"]["post"]["responses"])
    for example in forms["examples"]:
        answer = client.post("/predict", json={"sentences": example})
        assert answer.status_code == 200, answer.text
    assert "4 sentences of 100 characters" in document["info"]["description"]
    assert json.dumps(document).count("http://") == 0
