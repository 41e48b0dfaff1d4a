from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from tkre.generation.backends.params import (
    LanguageModelParams,
    OpenAIParams,
    ReplayParams,
    TransformersParams,
    VllmParams,
)

KEY = "sk-very-secret"


def parse(**fields):
    return TypeAdapter(LanguageModelParams).validate_python(fields)


@pytest.mark.parametrize(
    ("backend", "kind"),
    [("replay", ReplayParams), ("vllm", VllmParams), ("openai", OpenAIParams),
     ("transformers", TransformersParams)],
)  # fmt: skip
def test_the_backend_says_what_else_there_is(backend, kind):
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
def test_what_a_backend_does_not_know_is_refused(fields):
    with pytest.raises(ValidationError):
        parse(**fields)


def test_no_code_comes_with_the_weights():
    with pytest.raises(ValidationError, match="trust_remote_code runs code"):
        parse(backend="vllm", model="m", engine={"trust_remote_code": True})
    with pytest.raises(ValidationError, match="trust_remote_code"):
        parse(backend="vllm", model="m", trust_remote_code=True)


@pytest.mark.parametrize("twice", ["dtype", "model", "max_model_len", "tensor_parallel_size"])
def test_an_argument_of_the_engine_has_one_place(twice):
    with pytest.raises(ValidationError, match=f"{twice}: set beside engine, not in it"):
        parse(backend="vllm", model="m", engine={"swap_space": 1, twice: 1})
    assert parse(backend="vllm", model="m", engine={"swap_space": 1}).engine == {"swap_space": 1}


def test_a_model_is_called_by_its_name_or_by_what_is_loaded():
    assert parse(backend="vllm", model="/data/llama").called == "/data/llama"
    assert parse(backend="vllm", model="/data/llama", name="llama").called == "llama"
