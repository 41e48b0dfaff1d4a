from __future__ import annotations

from typing import Literal

import pytest
import yaml
from pydantic import TypeAdapter, ValidationError

from tkre.generation.llm.params import (
    BACKENDS,
    Backend,
    LanguageModelParams,
    LiveParams,
    OpenAIParams,
    ReplayParams,
    TransformersParams,
    VllmParams,
)
from tkre.generation.params import GenerationParams

KEY = "sk-very-secret"


def parse(**fields):
    return TypeAdapter(LanguageModelParams).validate_python(fields)


@pytest.mark.parametrize(
    ("backend", "kind"),
    [("replay", ReplayParams), ("vllm", VllmParams), ("openai", OpenAIParams),
     ("transformers", TransformersParams)],
)  # fmt: skip
def test_unknown_backend_lists_known_ones(backend, kind):
    assert type(parse(backend=backend, model="m")) is kind
    with pytest.raises(ValidationError, match="bogus"):
        parse(backend=backend, model="m", bogus=1)
    with pytest.raises(ValidationError, match="model"):
        parse(backend=backend)


@pytest.mark.parametrize(
    "fields",
    [
        {"backend": "gpt", "model": "m"},
        {"model": "m"},
        {"backend": "vllm", "model": "m", "base_url": "http://localhost/v1"},
        {"backend": "transformers", "model": "m", "strict": True},
        {"backend": "openai", "model": "m", "api_key": KEY},
        {"backend": "openai", "model": ""},
        {"backend": "openai", "model": "m", "retries": -1},
        {"backend": "openai", "model": "m", "prices": {"prompts": 1.0}},
        {"backend": "vllm", "model": "m", "gpu_memory_utilization": 1.5},
        {"backend": "transformers", "model": "m", "constrained": "sometimes"},
    ],
)
def test_unknown_settings_are_refused(fields):
    with pytest.raises(ValidationError):
        parse(**fields)


def test_remote_code_is_refused():
    with pytest.raises(ValidationError, match="trust_remote_code runs code"):
        parse(backend="vllm", model="m", engine={"trust_remote_code": True})
    with pytest.raises(ValidationError, match="trust_remote_code"):
        parse(backend="vllm", model="m", trust_remote_code=True)


@pytest.mark.parametrize("twice", ["dtype", "model", "max_model_len", "tensor_parallel_size"])
def test_engine_arguments_are_not_repeated(twice):
    with pytest.raises(ValidationError, match=f"{twice}: set beside engine, not in it"):
        parse(backend="vllm", model="m", engine={"swap_space": 1, twice: 1})
    assert parse(backend="vllm", model="m", engine={"swap_space": 1}).engine == {"swap_space": 1}


def test_model_name_defaults_to_model():
    assert parse(backend="vllm", model="/data/llama").called == "/data/llama"
    assert parse(backend="vllm", model="/data/llama", name="llama").called == "llama"


@pytest.fixture(scope="module")
def shipped(root) -> dict[str, object]:
    file = root / "conf/base/parameters_data_generation.yml"
    return yaml.safe_load(file.read_text(encoding="utf-8"))["generation"]


def test_llms_by_name(shipped):
    qwen = {"backend": "vllm", "model": "Qwen/Qwen3-8B"}
    params = GenerationParams.model_validate(shipped | {"llms": {"qwen": qwen}})
    assert params.of_llm("default") == params.language_model
    assert params.of_llm("qwen") == VllmParams(**qwen)


@pytest.mark.parametrize(("said", "strict"), [(None, True), (True, True), (False, False)])
def test_replayed_llms_are_strict_unless_set(shipped, said, strict):
    replayed = {"backend": "replay", "model": "m"} | ({} if said is None else {"strict": said})
    params = GenerationParams.model_validate(shipped | {"llms": {"m": replayed}})
    assert params.of_llm("m").strict is strict
    assert not params.of_llm("default").strict


@pytest.mark.parametrize("name", ["my_model", "a-b", "a.b", "", "7b", "default", "None", "nan"])
def test_llm_names_are_valid(shipped, name):
    llms = {name: {"backend": "replay", "model": "m"}}
    with pytest.raises(ValidationError, match="names of llms are made of letters and digits"):
        GenerationParams.model_validate(shipped | {"llms": llms})


def test_plugin_backend_settings_round_trip(monkeypatch, shipped):
    class OwnParams(LiveParams):
        backend: Literal["own"]
        depth: int = 1

    monkeypatch.setitem(BACKENDS.entries, "own", Backend(OwnParams, "no.module:Model"))
    settings = shipped | {"language_model": {"backend": "own", "model": "m", "depth": 3}}
    params = GenerationParams.model_validate(settings)
    assert isinstance(params.language_model, OwnParams)
    dumped = params.model_dump(mode="json", exclude_unset=True)["language_model"]
    assert dumped == settings["language_model"]
    assert GenerationParams.model_validate(params.model_dump()) == params
    with pytest.raises(ValidationError, match="depth"):
        GenerationParams.model_validate(
            shipped | {"language_model": {**settings["language_model"], "depth": "deep"}}
        )
