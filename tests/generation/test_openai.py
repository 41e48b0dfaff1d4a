from __future__ import annotations

import copy
import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace

import pytest

from tests.generation.chat_server import Body, ChatServer, Reply
from tkre.generation.llm.openai import FORMS, OpenAIServer, response_format
from tkre.generation.llm.params import BACKENDS, OpenAIParams, backend_params
from tkre.generation.llm.protocol import LanguageModelError, Request, Sampling
from tkre.generation.llm.registry import CachedModel
from tkre.generation.llm.store import ResponseStore

KEY = "sk-very-secret"
SCHEMA = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 50}},
    "required": ["text"],
    "additionalProperties": False,
}
GOOD = Reply(json.dumps({"text": "yes"}))


def requests(n: int) -> list[Request]:
    return [
        Request(f"r{i}", ({"role": "user", "content": f"question {i}"},), SCHEMA, Sampling())
        for i in range(n)
    ]


def number(body: Body) -> int:
    return int(body["messages"][0]["content"].split()[-1])


def model(server: ChatServer, **settings) -> OpenAIServer:
    settings = {"retries": 2, "timeout": 5.0, "concurrency": 4} | settings
    params = OpenAIParams(backend="openai", model="m", base_url=server.url, **settings)
    return OpenAIServer(params, KEY)


def ask(server: ChatServer, n: int, **settings):
    asked = model(server, **settings)
    try:
        return {r.request_id: r for r in asked.generate(requests(n))}
    finally:
        asked.close()


def test_request_and_response_fields():
    with ChatServer(lambda body, tries: GOOD) as server:
        [response] = ask(server, 1, extra_body={"top_k": 5}).values()
    assert response.answer == {"text": "yes"}
    assert (response.prompt_tokens, response.completion_tokens, response.tries) == (11, 7, 1)
    assert response.seconds is not None and response.seconds > 0
    [body] = server.received
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0.7, 1024)
    assert body["seed"] == requests(1)[0].seed("m") and body["top_k"] == 5
    form = body["response_format"]
    assert form["type"] == "json_schema" and form["json_schema"]["schema"] == SCHEMA
    assert server.keys == [f"Bearer {KEY}"]


def test_optional_fields_can_be_omitted():
    with ChatServer(lambda body, tries: GOOD) as server:
        ask(server, 1, send_seed=False, send_sampling=False, token_limit="max_completion_tokens")
    [body] = server.received
    assert not {"seed", "temperature", "top_p", "max_tokens"} & set(body)
    assert body["max_completion_tokens"] == 1024


def test_concurrency_is_bounded():
    with ChatServer(lambda body, tries: replace(GOOD, delay=0.05)) as server:
        assert len(ask(server, 12, concurrency=3)) == 12
    assert server.most_at_once == 3


def test_no_new_requests_while_responses_are_unstored():
    """A kill loses what is under way or not stored: as many as are asked at once, and no more."""
    with ChatServer(lambda body, tries: GOOD) as server:
        asked = model(server, concurrency=3)
        for stored, _ in enumerate(asked.generate(requests(9))):
            time.sleep(0.05)  # the store is slow, the server is not
            assert len(server.received) <= stored + 3
        asked.close()
    assert len(server.received) == 9


def test_retry_after_is_respected(caplog):
    busy = Reply("slow down", status=429, headers={"Retry-After": "1"})
    with ChatServer(lambda body, tries: busy if not tries else GOOD) as server:
        [response] = ask(server, 1).values()
    assert response.answer and response.tries == 2
    assert server.times[1] - server.times[0] >= 1.0


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("slow down", status=429, headers={"Retry-After": "0.01"}), "rate_limited"),
        (Reply("broken", status=500), "server_error"),
        (Reply("away", status=503), "server_error"),
        (Reply(json.dumps({"text": "yes"}), cut=True), "unreachable"),
        (Reply("", delay=30), "timed_out"),
    ],
)
def test_retries_are_bounded_and_other_rows_kept(reply, reason):
    def answer(body: Body, tries: int) -> Reply:
        return reply if number(body) == 2 else GOOD

    with ChatServer(answer) as server:
        responses = ask(server, 5, retries=1, timeout=0.5)
    assert {i for i, r in responses.items() if r.answer} == {"r0", "r1", "r3", "r4"}
    assert responses["r2"].reason == reason and not responses["r2"].settled
    assert sum(number(body) == 2 for body in server.received) == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (Reply("Of course! {'text':"), "not_json"),
        (Reply(json.dumps({"other": 1})), "wrong_schema"),
        (Reply('{"text": "and so on', finish="length", tokens=1024), "truncated"),
        (Reply('{"text": "and so on', finish="length"), "context_full"),
        (Reply(""), "empty"),
        (Reply(None), "empty"),
        (Reply(None, refusal="I would rather not"), "refused"),
        (Reply("", finish="content_filter"), "refused"),
    ],
)
def test_unusable_answers_are_settled_and_kept(reply, reason):
    with ChatServer(lambda body, tries: reply) as server:
        [response] = ask(server, 1).values()
    assert response.reason == reason and response.settled
    assert len(server.received) == 1


def body(message: object, **rest: object) -> Reply:
    return Reply(
        raw=json.dumps({"choices": [{"finish_reason": "stop", "message": message}]} | rest)
    )


def called(arguments: str) -> list[object]:
    return [{"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}]


ANSWER = '{"text": "yes"}'


@pytest.mark.parametrize(
    "reply",
    [
        # Mistral's thinking models, others with parts
        body({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "so"}]},
                          {"type": "text", "text": ANSWER}]}),
        body({"role": "assistant", "content": None, "tool_calls": called(ANSWER)}),
        body({"role": "assistant", "content": "", "tool_calls": called(ANSWER)}),
        body({"content": ANSWER}),  # without a role
        body({"content": {"text": "yes"}}),
        body({"content": ANSWER}, usage={}),
        body({"content": ANSWER}, usage="many"),
        body({"content": ANSWER}, usage={"prompt_tokens": 11.5, "completion_tokens": "7"}),
    ],
)  # fmt: skip
def test_answers_in_forms_of_other_servers(reply, tmp_path):
    """What is paid for is read, and stored so that the next run reads it again."""
    path = tmp_path / "responses.jsonl"
    with ChatServer(lambda body, tries: reply) as server:
        for _ in range(2):
            asked = model(server)
            [response] = CachedModel(asked, ResponseStore(path)).generate(requests(1))
            asked.close()
            assert response.answer == {"text": "yes"}
    assert len(server.received) == 1


@pytest.mark.parametrize("refusal", [{"reason": "a rule"}, ["a rule"]])
def test_a_refusal_that_is_no_text_is_stored_once(refusal, tmp_path):
    path, reply = tmp_path / "responses.jsonl", body({"content": None, "refusal": refusal})
    with ChatServer(lambda body, tries: reply) as server:
        for _ in range(2):
            asked = model(server)
            [response] = CachedModel(asked, ResponseStore(path)).generate(requests(1))
            asked.close()
            assert response.reason == "refused" and "a rule" in response.error
    assert len(server.received) == 1


@pytest.mark.parametrize(
    "raw",
    [
        "<html>oops</html>", '{"choices": []}', "[]", "{", '"a"', '{"choices": {"a": 1}}',
        '{"choices": ["a"]}', '{"choices": [{}]}', '{"choices": [{"message": null}]}',
        '{"error": {"message": "no credit"}}', "[" * 100_000,
    ],
)  # fmt: skip
def test_invalid_body_is_a_server_error(raw):
    with ChatServer(lambda body, tries: Reply(raw=raw)) as server:
        [response] = ask(server, 1).values()
    assert response.reason == "server_error"


def test_response_format_falls_back(caplog):
    def old(body: Body, tries: int) -> Reply:
        form = body.get("response_format", {"type": "text"})["type"]
        return GOOD if form != "json_schema" else Reply(f"no {form} here", status=400)

    with ChatServer(old) as server, caplog.at_level(logging.WARNING):
        responses = ask(server, 6, concurrency=1)
    assert all(r.answer for r in responses.values())
    forms = [body.get("response_format", {}).get("type") for body in server.received]
    assert forms == ["json_schema", "json_schema", *["json_object"] * 6]
    assert caplog.text.count("it is sent as json_object") == 1


def test_plain_schema_if_bounds_are_refused():
    def strict(body: Body, tries: int) -> Reply:
        return Reply("maxLength", status=400) if "maxLength" in json.dumps(body) else GOOD

    with ChatServer(strict) as server:
        assert ask(server, 1)["r0"].answer
    assert server.received[-1]["response_format"]["type"] == "json_schema"


LONG = {
    "type": "object",
    "properties": {
        "text": {"type": "string", "minLength": 1, "maxLength": 2400},
        "words": {"type": "array", "items": {"type": "string", "maxLength": 100}, "maxItems": 8},
    },
    "required": ["text"],
}


def grammar_of_llama(body: Body, tries: int) -> Reply:
    """llama-server, which makes a rule for each letter that a text may have."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    bounds = [p.get("maxLength", 0) for p in schema.get("properties", {}).values()]
    if max(bounds, default=0) < 2000:
        return GOOD
    return Reply("Failed to initialize samplers: failed to parse grammar", status=400)


def test_grammars_of_llama_server_lose_the_large_bounds_only(caplog):
    with ChatServer(grammar_of_llama) as server, caplog.at_level(logging.WARNING):
        asked = model(server, concurrency=1)
        long = [replace(request, schema=LONG) for request in requests(3)]
        responses = list(asked.generate(long))
        asked.close()
    assert all(r.answer for r in responses) and len(server.received) == 4
    sent = server.received[-1]["response_format"]["json_schema"]["schema"]["properties"]
    assert sent["text"] == {"type": "string", "minLength": 1}
    assert sent["words"] == LONG["properties"]["words"]
    [line] = [record.message for record in caplog.records]
    assert "failed to parse grammar" in line and "without bounds above 500" in line


def test_a_fixed_response_format_names_the_way_out():
    with ChatServer(grammar_of_llama) as server:
        asked = model(server, response_format="json_schema")
        [response] = asked.generate([replace(requests(1)[0], schema=LONG)])
        asked.close()
    assert response.reason == "refused_request"
    assert "parse grammar" in response.error and "response_format: auto" in response.error


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("the request exceeds the available context size. try increasing it", None),
        ("This model's maximum context length is 4096 tokens.", None),
        ("too many", "context_length_exceeded"),
    ],
)
def test_a_question_longer_than_the_context_is_asked_again_by_the_next_run(text, code):
    def small(body: Body, tries: int) -> Reply:
        return Reply(text, status=400, code=code) if number(body) == 0 else GOOD

    with ChatServer(small) as server:
        responses = ask(server, 2)
        assert responses["r1"].answer and len(server.received) == 2
        assert (responses["r0"].reason, responses["r0"].settled) == ("context_exceeded", False)
        assert "larger context" in responses["r0"].error
        with pytest.raises(LanguageModelError, match=r"in a row failed.*larger context"):
            ask(server, 1, give_up_after=1)


def test_one_refused_request_keeps_the_response_format():
    def answer(body: Body, tries: int) -> Reply:
        return Reply("too long", status=400) if number(body) == 0 else GOOD

    with ChatServer(answer) as server:
        responses = ask(server, 3, concurrency=1)
    assert responses["r0"].reason == "refused_request" and "too long" in responses["r0"].error
    assert {body["response_format"]["type"] for body in server.received[-2:]} == {"json_schema"}


@pytest.mark.parametrize(
    "reply",
    [
        Reply(f"Incorrect API key provided: {KEY}", status=401),
        Reply("not yours", status=403),
        Reply("no model m", status=404),
        Reply("pay first", status=429, code="insufficient_quota"),
        Reply("pay first", status=402),
        Reply("only by POST to another place", status=405),
        Reply("name yourself to the proxy", status=407),
    ],
)
def test_refusing_server_ends_the_run(reply):
    with (
        ChatServer(lambda body, tries: reply) as server,
        pytest.raises(LanguageModelError, match="refuses 'm'") as error,
    ):
        ask(server, 50, retries=0, concurrency=2)
    assert len(server.received) <= 4
    assert KEY not in str(error.value)


def test_a_server_that_refuses_every_request_ends_the_run():
    """As for a setting that it does not know: no answer would come of asking on."""
    refused = Reply("Unsupported parameter: max_tokens", status=400)
    with (
        ChatServer(lambda body, tries: refused) as server,
        pytest.raises(LanguageModelError, match=r"4 requests in a row.*max_tokens"),
    ):
        ask(server, 50, response_format="text", concurrency=1, give_up_after=4)
    assert len(server.received) == 4


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("http://localhost:80a/v1", KEY), ("http://localhost:99999/v1", KEY),
        ("http://[::1/v1", KEY), ("http://localhost:1/v1", "\u201csk-copied\u201d"),
        ("http://localhost:1/v1", "sk-two\nlines"),
    ],
)  # fmt: skip
def test_an_address_or_a_key_that_cannot_be_sent_is_refused(url, key):
    params = OpenAIParams(backend="openai", model="m", base_url=url)
    with pytest.raises(LanguageModelError, match=r"base_url must be|a character that no key has"):
        OpenAIServer(params, key).check()


def test_lost_server_ends_the_run_and_keeps_responses(tmp_path):
    gone = Reply("gone", status=500)
    with ChatServer(lambda body, tries: GOOD if number(body) < 5 else gone) as server:
        asked = model(server, retries=0, concurrency=1, give_up_after=3)
        store = ResponseStore(tmp_path / "responses.jsonl")
        with pytest.raises(LanguageModelError, match=r"3 requests in a row failed.*run again"):
            list(CachedModel(asked, store).generate(requests(50)))
        asked.close()
    assert len(server.received) < 12
    assert sum(a.answer is not None for a in store.all()) == 5


def test_next_run_retries_only_failed_rows(tmp_path):
    failing = True

    def answer(body: Body, tries: int) -> Reply:
        return Reply("x", status=500) if failing and number(body) % 3 == 0 else GOOD

    with ChatServer(answer) as server:
        path = tmp_path / "responses.jsonl"
        for _ in range(2):
            asked = model(server, retries=0)
            last = list(CachedModel(asked, ResponseStore(path)).generate(requests(9)))
            asked.close()
            failing = False
    assert all(r.answer for r in last)
    counts = [sum(number(b) == n for b in server.received) for n in range(9)]
    assert counts == [2, 1, 1] * 3


def test_interruption_waits_for_requests_in_flight(tmp_path):
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.generation.test_openai import requests
        from tkre.generation.llm.openai import OpenAIServer
        from tkre.generation.llm.params import OpenAIParams
        from tkre.generation.llm.registry import CachedModel
        from tkre.generation.llm.store import ResponseStore
        params = OpenAIParams(backend="openai", model="m", base_url=sys.argv[1], concurrency=4)
        store = ResponseStore(Path(sys.argv[2]))
        list(CachedModel(OpenAIServer(params, None), store).generate(requests(100)))
        """
    )
    with ChatServer(lambda body, tries: replace(GOOD, delay=0.4)) as server:
        path = tmp_path / "responses.jsonl"
        process = subprocess.Popen(
            [sys.executable, "-c", code, server.url, str(path)], stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 300
        while len(server.received) < 10 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode != 0 and b"KeyboardInterrupt" in said
    assert len(server.received) < 30
    stored = {response.request_id for response in ResponseStore(path).all()}
    assert stored == {f"r{number(body)}" for body in server.received}


def test_key_is_never_logged(caplog):
    bad = Reply(f"key {KEY} is tired", status=500)
    with (
        caplog.at_level(logging.DEBUG),
        ChatServer(lambda body, tries: bad if not number(body) else GOOD) as server,
    ):
        responses = ask(server, 2, retries=0)
    assert "***" in str(responses["r0"].error)
    assert KEY not in caplog.text


def test_hosted_api_needs_a_key():
    params = OpenAIParams(backend="openai", model="m")
    with pytest.raises(LanguageModelError, match=r"OPENAI_API_KEY.*conf/local/credentials.yml"):
        OpenAIServer(params, None).check()
    OpenAIServer(params, KEY).check()


@pytest.mark.parametrize(
    "url",
    [f"https://{KEY}@host/v1", f"https://me:{KEY}@host/v1", f"me:{KEY}@host/v1", "host/v1",
     "ftp://host/v1", "http:///v1"],
)  # fmt: skip
def test_invalid_base_url_is_refused_and_not_echoed(url):
    server = OpenAIServer(OpenAIParams(backend="openai", model="m", base_url=url), None)
    with pytest.raises(LanguageModelError, match=r"base_url must be.*credentials\.yml") as error:
        server.check()
    assert KEY not in str(error.value) and KEY not in server.source


def test_at_sign_in_the_path_is_allowed():
    url = "http://host:8000/models/@me/v1"
    OpenAIServer(OpenAIParams(backend="openai", model="m", base_url=url), None).check()


def test_threads_end_with_the_requests():
    with ChatServer(lambda body, tries: GOOD) as server:
        ask(server, 5)
    left = [t.name for t in threading.enumerate() if t.name.startswith("language-model")]
    assert left == []


BOUNDED = {
    "type": "object",
    "properties": {
        "samples": {
            "type": "array", "minItems": 2, "maxItems": 2,
            "items": {
                "anyOf": [
                    {"type": "string", "minLength": 1, "maxLength": 900},
                    {"type": "string", "enum": ["a", "b"]},
                ],
            },
        },
    },
    "required": ["samples"],
    "additionalProperties": False,
}  # fmt: skip


def test_json_schema_format_has_the_whole_schema():
    form = response_format("json_schema", BOUNDED)
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"] == BOUNDED
    assert form["json_schema"]["strict"] is True and form["json_schema"]["name"]


def test_plain_schema_has_no_bounds():
    before = copy.deepcopy(BOUNDED)
    form = response_format("plain_schema", BOUNDED)
    assert form["type"] == "json_schema" and form["json_schema"]["strict"] is True
    assert form["json_schema"]["schema"] == {
        "type": "object",
        "properties": {
            "samples": {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "string", "enum": ["a", "b"]}]},
            },
        },
        "required": ["samples"],
        "additionalProperties": False,
    }
    assert before == BOUNDED  # answers are checked against the bounds still


def test_other_formats_have_no_schema():
    assert response_format("json_object", BOUNDED) == {"type": "json_object"}
    assert response_format("text", BOUNDED) is None


def test_formats_are_ordered_by_strictness():
    said = [len(json.dumps(response_format(form, BOUNDED))) for form in FORMS]
    assert said == sorted(said, reverse=True) and len(set(said)) == len(FORMS)


@pytest.mark.parametrize("backend", ["llama_server", "ollama", "vllm_server", "openai"])
def test_servers_that_people_run(backend, caplog):
    """The first two never send what llama.cpp refuses; the others find out, once."""
    with ChatServer(grammar_of_llama) as server:
        settings = {"backend": backend, "model": "m", "base_url": server.url}
        asked = OpenAIServer(backend_params(settings), None)
        assert BACKENDS[backend].load() is OpenAIServer
        asked.check()
        long = [replace(request, schema=LONG) for request in requests(2)]
        answers = [r for request in long for r in asked.generate([request])]
        asked.close()
    assert [r.answer for r in answers] == [{"text": "yes"}] * 2
    refused = 0 if backend in ("llama_server", "ollama") else 1
    assert len(server.received) == 2 + refused
    assert ("failed to parse grammar" in caplog.text) == bool(refused)


@pytest.mark.parametrize(
    ("backend", "command"),
    [
        ("llama_server", "llama-server -m"),
        ("ollama", "ollama serve"),
        ("vllm_server", "vllm serve"),
    ],
)
def test_a_server_that_is_not_started_is_named_with_its_command(backend, command):
    settings = {"backend": backend, "model": "m", "base_url": "http://127.0.0.1:1/v1"}
    with pytest.raises(LanguageModelError, match=f"nothing listens at .*`{command}"):
        OpenAIServer(backend_params(settings), None).check()


def test_a_server_that_still_loads_its_model_is_refused_before_a_run():
    with ChatServer(lambda body, tries: GOOD) as server:
        server.models = Reply("Loading model", status=503)
        settings = {"backend": "llama_server", "model": "m", "base_url": server.url}
        asked = OpenAIServer(backend_params(settings), None)
        with pytest.raises(LanguageModelError, match="still loads its model: run again"):
            asked.check()
        server.models = Reply(raw='{"data": []}')
        asked.check()


@pytest.mark.parametrize(
    "message",
    [
        "The model produced output that does not match the expected peg-native format",
        "got exception: Unexpected empty grammar stack after accepting piece: ; (30)",
    ],
)
def test_an_answer_that_llama_server_cannot_read_is_the_model_s(message):
    """Asked again under the same seed it would be the same, in this run and in the next."""
    with ChatServer(lambda body, tries: Reply(message, status=500)) as server:
        [answer] = ask(server, 1, retries=0).values()
    assert (answer.reason, answer.settled) == ("not_json", True) and message in answer.error


THOUGHT = Reply('<think>Perhaps {"text": "no"}?</think>\n{"text": "yes"}')


@pytest.mark.parametrize("reply", [THOUGHT, Reply('{"text": "yes"}', reasoning='{"text": "no"}')])
def test_reasoning_is_no_answer(reply):
    with ChatServer(lambda body, tries: reply) as server:
        [answer] = ask(server, 1, reasoning_tokens=4000).values()
    assert answer.answer == {"text": "yes"}
    assert server.received[0]["max_tokens"] == Sampling().max_tokens + 4000


@pytest.mark.parametrize(
    "reply",
    [
        Reply('<think>Perhaps {"text": "no"}', finish="length", tokens=1024),
        Reply("", reasoning="Perhaps", finish="length", tokens=1024),
        Reply(None, reasoning="Perhaps", finish="length", tokens=99),
    ],
)
def test_an_answer_that_is_cut_off_in_its_reasoning_says_so(reply):
    with ChatServer(lambda body, tries: reply) as server:
        [answer] = ask(server, 1).values()
    assert answer.reason == "truncated" and answer.answer is None
    assert "cut off inside its reasoning" in answer.error
    assert "give it reasoning_tokens" in answer.error
