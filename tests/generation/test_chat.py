from __future__ import annotations

from dataclasses import replace

import pytest

from tests.generation.test_protocol import REQUEST
from tests.live.tiny_llama import make_llama
from tkre.generation.llm.chat import (
    LocalModel,
    refuse_missing,
    refuse_missing_folder,
    token_ids,
)
from tkre.generation.llm.params import TransformersParams
from tkre.generation.llm.protocol import LanguageModelError

MESSAGES = (
    {"role": "system", "content": "You annotate."},
    {"role": "user", "content": "Explain this sentence."},
)
CHAT = replace(REQUEST, messages=MESSAGES)
# As those of Gemma and of old Mistral models.
NO_SYSTEM = (
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}"
    "[{{ message['role'] }}]{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[model]{% endif %}"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    texts = [message["content"] for message in MESSAGES] * 3
    return make_llama(tmp_path_factory.mktemp("tiny") / "llama", texts)


def local_model(folder) -> LocalModel:
    return LocalModel(TransformersParams(backend="transformers", model=str(folder)))


@pytest.fixture
def tokenizer(folder):
    return local_model(folder).tokenizer


def read_back(tokenizer, request) -> str:
    return tokenizer.decode(token_ids(tokenizer, request))


def test_messages_use_the_chat_template_with_generation_prompt(tokenizer):
    assert read_back(tokenizer, CHAT) == (
        "<|system|>\nYou annotate.<|end|>\n<|user|>\nExplain this sentence.<|end|>\n<|assistant|>\n"
    )


def test_special_tokens_of_the_template_are_not_added_twice(tokenizer):
    from tokenizers.processors import TemplateProcessing

    marks = [("<|end|>", tokenizer.convert_tokens_to_ids("<|end|>"))]
    before = token_ids(tokenizer, CHAT)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|end|> $A <|end|>", special_tokens=marks
    )
    assert tokenizer("x")["input_ids"][0] == marks[0][1]  # it does write them by itself
    assert token_ids(tokenizer, CHAT) == before


def test_system_message_is_merged_into_the_user_message_if_refused(tokenizer):
    tokenizer.chat_template = NO_SYSTEM
    assert read_back(tokenizer, CHAT) == "[user]You annotate.\n\nExplain this sentence.[model]"
    plain = replace(CHAT, messages=MESSAGES[1:])
    assert read_back(tokenizer, plain) == "[user]Explain this sentence.[model]"
    longer = (*MESSAGES, {"role": "assistant", "content": "Why?"}, MESSAGES[1])
    assert read_back(tokenizer, replace(CHAT, messages=longer)) == (
        "[user]You annotate.\n\nExplain this sentence.[assistant]Why?"
        "[user]Explain this sentence.[model]"
    )


@pytest.mark.parametrize("messages", [MESSAGES, MESSAGES[1:]])
def test_template_that_refuses_all_messages_raises(tokenizer, messages):
    tokenizer.chat_template = "{{ raise_exception('never') }}"
    with pytest.raises(Exception, match="never"):
        token_ids(tokenizer, replace(CHAT, messages=messages))


def test_without_a_template_contents_are_joined(tokenizer):
    tokenizer.chat_template = None
    assert read_back(tokenizer, CHAT) == "You annotate.\n\nExplain this sentence.\n\n"


def test_missing_tokenizer_is_an_error(tmp_path):
    with pytest.raises(LanguageModelError, match=r"'.*nothing' has no tokenizer"):
        _ = local_model(tmp_path / "nothing").tokenizer


def test_missing_package_error_names_the_extra():
    refuse_missing("json", "x")
    with pytest.raises(
        LanguageModelError, match=r"package no_such_thing.*pip install '\.\[vllm\]'"
    ):
        refuse_missing("no_such_thing", "vllm")


@pytest.mark.parametrize("name", ["gpt2", "org/model", "org/model-1.5"])
def test_hub_names_are_not_folders(name):
    refuse_missing_folder(name)


@pytest.mark.parametrize("name", ["./model", "../m", "/no/such/model", "~/model", "models/a/b"])
def test_missing_folder_is_an_error(name):
    with pytest.raises(LanguageModelError, match=f"'{name}'.*no folder with a config.json"):
        refuse_missing_folder(name)


def test_model_folder_needs_a_config(folder, tmp_path):
    refuse_missing_folder(str(folder))
    with pytest.raises(LanguageModelError):
        refuse_missing_folder(str(tmp_path))
