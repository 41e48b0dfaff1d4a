from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing

from tests.generation.chat_server import ChatServer, Reply
from tests.generation.test_protocol import REQUEST
from tkre.generation.llm.cache import CachedModel
from tkre.generation.llm.huggingface import TransformersModel
from tkre.generation.llm.openai import OpenAIServer
from tkre.generation.llm.params import OpenAIParams, ReplayParams, TransformersParams, VllmParams
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.llm.vllm import VllmEngine

OPENAI = OpenAIParams(backend="openai", model="m", base_url="http://localhost:1/v1")


def connections() -> int:
    """Open connections of the servers of this process: each has a thread of its own."""
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


def connections_end() -> bool:
    deadline = time.monotonic() + 10
    while connections() and time.monotonic() < deadline:
        time.sleep(0.01)
    return not connections()


def test_every_backend_has_its_model():
    models = LanguageModels()
    assert isinstance(models.live(OPENAI), OpenAIServer)
    assert isinstance(models.live(VllmParams(backend="vllm", model="m")), VllmEngine)
    local = TransformersParams(backend="transformers", model="m", name="n")
    assert isinstance(models.live(local), TransformersModel)
    assert models.live(local).name == "n"


def test_the_same_parameters_are_the_same_model_and_others_another():
    models = LanguageModels()
    one = models.live(OPENAI)
    assert models.live(OPENAI.model_copy()) is one
    assert models.live(OPENAI.model_copy(update={"timeout": 1.0})) is not one
    assert LanguageModels().live(OPENAI) is not one


def test_a_replay_reads_what_a_live_run_left_and_then_the_recordings():
    recordings, responses = ResponseStore(), ResponseStore()
    recordings.append(Response(REQUEST.id, answer={"of": "recordings"}))
    params = ReplayParams(backend="replay", model="m")
    model = LanguageModels().answering(params, recordings, responses)
    assert isinstance(model, Replay) and model.name == "m"
    assert next(model.generate([REQUEST])).answer == {"of": "recordings"}
    responses.append(Response(REQUEST.id, answer={"of": "responses"}))
    assert next(model.generate([REQUEST])).answer == {"of": "responses"}
    strict = ReplayParams(backend="replay", model="m", strict=True)
    assert not LanguageModels().answering(strict, recordings, responses).holds(REQUEST)


def test_a_live_model_remembers_in_the_responses_and_reads_no_recordings():
    recordings, responses = ResponseStore(), ResponseStore()
    known = Response(REQUEST.id, answer={}, digest=REQUEST.digest("m"), model="m")
    recordings.append(known)
    model = LanguageModels().answering(OPENAI, recordings, responses)
    assert isinstance(model, CachedModel) and model.name == "m"
    assert not model.holds(REQUEST)
    responses.append(known)
    assert list(model.generate([REQUEST])) == [known]


def test_all_are_closed_together_and_start_again_when_asked_again():
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


def test_what_another_model_is_asked_for_is_free():
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


def test_what_was_never_started_is_closed_as_well():
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


def test_nothing_heavy_is_imported_before_a_question_is_asked():
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
