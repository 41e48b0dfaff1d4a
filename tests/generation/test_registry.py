from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.generation.chat_server import ChatServer, Reply
from tests.generation.scripted import Scripted, cut_off, unreachable
from tests.generation.test_protocol import REQUEST
from tkre.generation.llm.huggingface import TransformersModel
from tkre.generation.llm.openai import OpenAIServer
from tkre.generation.llm.params import OpenAIParams, ReplayParams, TransformersParams, VllmParams
from tkre.generation.llm.protocol import Response, Sampling
from tkre.generation.llm.registry import CachedModel, LanguageModels
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.llm.vllm import VllmEngine

REQUESTS = [replace(REQUEST, id=i) for i in ("a", "b", "c")]
OPENAI = OpenAIParams(backend="openai", model="m", base_url="http://localhost:1/v1")


def connections() -> int:
    """Open connections of the servers of this process: each has a thread of its own."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def connections_end() -> bool:
    deadline = time.monotonic() + 10
    while connections() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not connections()


def test_backends_create_their_models():
    models = LanguageModels()
    assert isinstance(models.live(OPENAI), OpenAIServer)
    assert isinstance(models.live(VllmParams(backend="vllm", model="m")), VllmEngine)
    local = TransformersParams(backend="transformers", model="m", name="n")
    assert isinstance(models.live(local), TransformersModel)
    assert models.live(local).name == "n"


def test_one_live_model_per_parameters():
    models = LanguageModels()
    one = models.live(OPENAI)
    assert models.live(OPENAI.model_copy()) is one
    assert models.live(OPENAI.model_copy(update={"timeout": 1.0})) is not one
    assert LanguageModels().live(OPENAI) is not one


def test_replay_prefers_responses_to_recordings():
    recordings, responses = ResponseStore(), ResponseStore()
    recordings.append(Response(REQUEST.id, answer={"of": "recordings"}))
    params = ReplayParams(backend="replay", model="m")
    model = LanguageModels().answering(params, recordings, responses)
    assert isinstance(model, Replay) and model.name == "m"
    assert next(model.generate([REQUEST])).answer == {"of": "recordings"}
    # Annotations are recorded in a file of their own.
    model = LanguageModels().answering(params, ResponseStore(), responses, recordings)
    assert next(model.generate([REQUEST])).answer == {"of": "recordings"}
    responses.append(Response(REQUEST.id, answer={"of": "responses"}))
    assert next(model.generate([REQUEST])).answer == {"of": "responses"}
    strict = ReplayParams(backend="replay", model="m", strict=True)
    assert not LanguageModels().answering(strict, recordings, responses).holds(REQUEST)


def test_live_model_ignores_recordings():
    recordings, responses = ResponseStore(), ResponseStore()
    known = Response(REQUEST.id, answer={}, digest=REQUEST.digest("m"), model="m")
    recordings.append(known)
    model = LanguageModels().answering(OPENAI, recordings, responses)
    assert isinstance(model, CachedModel) and model.name == "m"
    assert not model.holds(REQUEST)
    responses.append(known)
    assert list(model.generate([REQUEST])) == [known]


def test_closed_models_restart():
    with (
        ChatServer(lambda body, tries: Reply("{}")) as one,
        ChatServer(lambda body, tries: Reply("{}")) as other,
    ):
        settings = [
            OpenAIParams(backend="openai", model="m", base_url=server.url)
            for server in (one, other)
        ]
        with closing(LanguageModels({"api_key": "secret"})) as models:
            for params in settings:
                assert next(models.live(params).generate([REQUEST])).answer == {}
            assert connections() == 2
        assert connections_end()
        models.close()
        assert next(models.live(settings[0]).generate([REQUEST])).answer == {}
        models.close()
        assert connections_end()
        assert one.keys == ["Bearer secret"] * 2


def test_other_live_models_are_closed():
    with (
        ChatServer(lambda body, tries: Reply("{}")) as one,
        ChatServer(lambda body, tries: Reply("{}")) as other,
        closing(LanguageModels()) as models,
    ):
        params = [
            OpenAIParams(backend="openai", model="m", base_url=server.url)
            for server in (one, other, one)
        ]
        for asked in params:
            model = models.answering(asked, ResponseStore(), ResponseStore())
            assert next(model.generate([REQUEST])).answer == {}
            deadline = time.monotonic() + 10
            while connections() > 1 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert connections() == 1
        # A replay takes nothing, so nothing is closed for it.
        replay = ReplayParams(backend="replay", model="m")
        models.answering(replay, ResponseStore(), ResponseStore())
        assert connections() == 1


def test_close_before_start():
    models = LanguageModels({"api_key": None})
    models.close()
    for params in (
        OPENAI,
        VllmParams(backend="vllm", model="m"),
        TransformersParams(backend="transformers", model="m"),
    ):
        models.live(params)
    models.close()
    models.close()


def test_backends_import_lazily():
    code = textwrap.dedent(
        """
        import sys
        from contextlib import closing
        from tkre.generation.llm.params import OpenAIParams, TransformersParams, VllmParams
        from tkre.generation.llm.registry import LanguageModels
        with closing(LanguageModels({"api_key": "k"})) as models:
            models.live(OpenAIParams(backend="openai", model="m")).check()
            models.live(VllmParams(backend="vllm", model="m"))
            models.live(TransformersParams(backend="transformers", model="m")).check()
        print(sorted({"openai", "torch", "transformers", "vllm", "kedro"} & set(sys.modules)))
        """
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_second_run_sends_nothing(tmp_path):
    path = tmp_path / "r.jsonl"
    first = Scripted(lambda r: {"to": r.id})
    given = list(CachedModel(first, ResponseStore(path)).generate(REQUESTS))
    second = Scripted(lambda r: {"never": r.id})
    again = list(CachedModel(second, ResponseStore(path)).generate(REQUESTS))
    assert (first.asked, second.asked) == (["a", "b", "c"], [])
    assert given == again


def test_stored_responses_have_provenance(tmp_path):
    path = tmp_path / "r.jsonl"
    model = Scripted(lambda r: {} if r.id != "b" else "{")
    given = list(CachedModel(model, ResponseStore(path)).generate(REQUESTS))
    stored = ResponseStore(path).all()
    assert stored == given
    for request, response in zip(REQUESTS, stored, strict=True):
        assert (response.model, response.source) == ("scripted", "script 1.0")
        assert response.digest == request.digest("scripted")
        age = datetime.now(UTC) - datetime.fromisoformat(response.finished)
        assert timedelta(0) <= age < timedelta(minutes=1)


def test_source_is_read_after_the_first_response():
    def answer(request):
        model.source = "script 2.0"  # it knows its version only when it has been started
        return {}

    model = Scripted(answer)
    [response] = CachedModel(model, ResponseStore()).generate(REQUESTS[:1])
    assert response.source == "script 2.0"


def test_killed_run_keeps_responses(tmp_path):
    path = tmp_path / "r.jsonl"

    def dies_at_b(request):
        if request.id == "b":
            raise KeyboardInterrupt
        return {"to": request.id}

    with pytest.raises(KeyboardInterrupt):
        list(CachedModel(Scripted(dies_at_b), ResponseStore(path)).generate(REQUESTS))
    rest = Scripted(lambda r: {"to": r.id})
    assert len(list(CachedModel(rest, ResponseStore(path)).generate(REQUESTS))) == 3
    assert rest.asked == ["b", "c"]


def test_only_changed_requests_are_sent_again(tmp_path):
    path = tmp_path / "r.jsonl"
    list(CachedModel(Scripted(lambda r: {}), ResponseStore(path)).generate(REQUESTS))
    changed = [REQUESTS[0], replace(REQUESTS[1], sampling=Sampling(seed=9)), REQUESTS[2]]
    model = Scripted(lambda r: {})
    list(CachedModel(model, ResponseStore(path)).generate(changed))
    assert model.asked == ["b"]


def test_settled_failures_are_not_sent_again(tmp_path):
    store = ResponseStore(tmp_path / "r.jsonl")
    [failed] = CachedModel(Scripted(lambda r: "{cut"), store).generate(REQUESTS[:1])
    assert (failed.reason, failed.text) == ("not_json", "{cut")
    never = Scripted(lambda r: {})
    remembering = CachedModel(never, ResponseStore(store.path))
    assert remembering.holds(REQUESTS[0])
    assert list(remembering.generate(REQUESTS[:1])) == [failed]
    assert never.asked == []


@pytest.mark.parametrize(
    ("changed", "asked"),
    [
        ({}, []), ({"concurrency": 1, "timeout": 5.0, "prices": {"prompt": 1.0}}, []),
        ({"reasoning_tokens": 4000}, ["a"]), ({"token_limit": "max_completion_tokens"}, ["a"]),
        ({"extra_body": {"reasoning_effort": "none"}}, ["a"]),
    ],
)  # fmt: skip
def test_other_settings_are_another_chance_of_what_failed(tmp_path, changed, asked):
    """Messages of failures name settings; a stored failure must not hide that they help."""
    path, scripted = tmp_path / "r.jsonl", Scripted(lambda r: {} if r.id == "b" else "{cut")
    first = CachedModel(scripted, ResponseStore(path), OPENAI.settings_digest)
    list(first.generate(REQUESTS[:2]))
    settings = OPENAI.model_copy(update=changed).settings_digest
    model = Scripted(lambda r: {"now": 1})
    again = CachedModel(model, ResponseStore(path), settings)
    assert again.holds(REQUESTS[0]) is not bool(asked)
    list(again.generate(REQUESTS[:2]))
    assert model.asked == asked
    assert first.holds(REQUESTS[0]) and ResponseStore(path).find(REQUESTS[0], "scripted")


def test_a_run_stores_the_settings_and_strips_the_key(tmp_path):
    store = ResponseStore(tmp_path / "r.jsonl")
    with ChatServer(lambda body, tries: Reply("no JSON")) as server:
        params = OPENAI.model_copy(update={"base_url": server.url})
        with closing(LanguageModels({"api_key": "sk-of-a-file\n"})) as models:
            model = models.answering(params, ResponseStore(), store)
            [failed] = model.generate(REQUESTS[:1])
        assert server.keys == ["Bearer sk-of-a-file"]
    assert (failed.reason, failed.settings) == ("not_json", params.settings_digest)
    assert ResponseStore(store.path).all() == [failed]


def test_nothing_is_asked_that_cannot_be_stored(tmp_path):
    (tmp_path / "no_folder").write_text("")
    store = ResponseStore(tmp_path / "no_folder" / "r.jsonl")
    model = Scripted(lambda r: {})
    with pytest.raises(OSError, match=r"no_folder.r\.jsonl"):
        list(CachedModel(model, store).generate(REQUESTS))
    assert model.asked == []


def test_unanswered_requests_are_sent_again(tmp_path):
    store = ResponseStore(tmp_path / "r.jsonl")
    [failed] = CachedModel(Scripted(unreachable), store).generate(REQUESTS[:1])
    assert failed.reason == "unreachable" and failed.digest
    again = CachedModel(Scripted(lambda r: {}), store)
    assert not again.holds(REQUESTS[0]) and again.can_answer(REQUESTS[0])
    [good] = again.generate(REQUESTS[:1])
    assert good.answer == {} and again.holds(REQUESTS[0])
    assert [a.reason for a in store.attempts("a")] == ["unreachable", None]


def test_two_cached_models_share_a_file(tmp_path):
    path = tmp_path / "r.jsonl"
    models = [Scripted(lambda r: {"to": r.id}) for _ in range(2)]
    first, second = (CachedModel(model, ResponseStore(path)) for model in models)
    list(first.generate(REQUESTS[:2]))
    assert [r.answer["to"] for r in second.generate(REQUESTS)] == ["a", "b", "c"]
    list(first.generate(REQUESTS))
    assert [model.asked for model in models] == [["a", "b"], ["c"]]


def test_batch_summary_has_failure_reasons(caplog):
    answers = {"a": Response("a", answer={}, prompt_tokens=30, completion_tokens=7)}
    model = Scripted(lambda r: answers.get(r.id) or cut_off(r))
    with caplog.at_level(logging.INFO):
        list(CachedModel(model, ResponseStore()).generate(REQUESTS))
    [summary, example] = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert summary.getMessage() == (
        "scripted: 3 sent, 1 answered, 2 failed (truncated 2); 30 tokens read, 2055 written"
    )
    assert example.getMessage() == "first failure, b: cut off at 1024 tokens"
    assert "3 requests, 0 of them answered by the store" in caplog.text


def test_batch_summary_without_failures_and_with_open_requests(caplog):
    def dies_at_b(request):
        if request.id == "b":
            raise KeyboardInterrupt
        return {}

    with caplog.at_level(logging.INFO), pytest.raises(KeyboardInterrupt):
        list(CachedModel(Scripted(dies_at_b), ResponseStore()).generate(REQUESTS))
    assert "3 sent, 1 answered, 0 failed, 2 open; 0 tokens" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.INFO}


def test_nothing_is_imported_while_answers_are_in_flight(tmp_path):
    # A killed process loses what has arrived and is not stored: a second of imports is too long.
    code = """
        import sys
        from pathlib import Path
        from tests.generation.chat_server import ChatServer, Reply
        from tests.generation.test_protocol import REQUEST
        from tkre.generation.llm.openai import OpenAIServer
        from tkre.generation.llm.params import OpenAIParams
        from tkre.generation.llm.registry import CachedModel
        from tkre.generation.llm.store import ResponseStore

        asked = set()

        def reply(body, tries):
            asked.update(sys.modules)
            return Reply('{"relation": "knows"}')

        with ChatServer(reply) as server:
            params = OpenAIParams(backend="openai", model="m", base_url=server.url)
            model = CachedModel(OpenAIServer(params), ResponseStore(Path(sys.argv[1])))
            [response] = model.generate([REQUEST])
        print("late:", *sorted({*sys.modules} - asked))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "store.jsonl")],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "late:", done.stdout + done.stderr
