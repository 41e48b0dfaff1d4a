"""Chat templates and tokenizers of local models, and checks of their packages and folders."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from tkre.generation.llm.params import TransformersParams, VllmParams
from tkre.generation.llm.protocol import LanguageModelError, Request

Settings = TypeVar("Settings", VllmParams, TransformersParams)


class LocalModel(Generic[Settings]):
    """Base of the backends that load a model within the run.

    Args:
        params: Settings of the backend.
        api_key: Not used.
    """

    def __init__(self, params: Settings, api_key: str | None = None) -> None:
        self.name = params.called
        self.source: str = params.backend
        self._params: Settings = params

    @cached_property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers, loaded when it is first used.

        Raises:
            LanguageModelError: The model has no tokenizer.
        """
        from transformers import AutoTokenizer

        model, revision = self._params.model, self._params.revision
        try:
            return AutoTokenizer.from_pretrained(model, revision=revision)
        except (OSError, ValueError) as error:
            problem = f"language model {model!r} has no tokenizer: {error}"
            raise LanguageModelError(problem) from error

    def check(self) -> None:
        """Refuses a missing folder; the model is not loaded.

        Raises:
            LanguageModelError: The folder has no ``config.json``.
        """
        refuse_missing_folder(self._params.model)

    def count_tokens(self, requests: Sequence[Request]) -> list[int]:
        """Length of each request in tokens; loads only the tokenizer."""
        return [len(token_ids(self.tokenizer, request)) for request in requests]


def token_ids(tokenizer: Any, request: Request) -> list[int]:
    """Token ids of a request in the model's chat template, with the generation prompt.

    Where a template refuses a system message, it is put before the first user message; without a
    template, the contents are joined.
    """
    messages: Sequence[dict[str, str]] = request.messages
    if not tokenizer.chat_template:
        text = "\n\n".join(message["content"] for message in messages) + "\n\n"
        return list(tokenizer(text)["input_ids"])
    try:
        text = _templated(tokenizer, messages)
    except Exception as error:
        # Templates refuse a role by raising an error inside of Jinja.
        if type(error).__module__.partition(".")[0] != "jinja2" or messages[0]["role"] != "system":
            raise
        text = _templated(tokenizer, _without_system(messages))
    # The template has written the special tokens already.
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def refuse_missing(package: str, extra: str) -> None:
    """Refuses a backend whose package is not installed.

    Raises:
        LanguageModelError: The package is missing; the message says how to install it.
    """
    if find_spec(package) is None:
        raise LanguageModelError(
            f"this language model needs the package {package}, which is not installed: "
            f"pip install '.[{extra}]' (docs/language_models.md says into which environment)"
        )


def refuse_missing_folder(model: str) -> None:
    """Refuses a name that looks like a folder and is not the folder of a model.

    Raises:
        LanguageModelError: The folder has no ``config.json``.
    """
    looks_like_folder = model.startswith((".", "/", "~")) or model.count("/") > 1
    if looks_like_folder and not (Path(model) / "config.json").is_file():
        raise LanguageModelError(f"language model {model!r}: there is no folder with a config.json")


def _templated(tokenizer: Any, messages: Sequence[dict[str, str]]) -> str:
    text: str = tokenizer.apply_chat_template(
        list(messages), tokenize=False, add_generation_prompt=True
    )
    return text


def _without_system(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    system, *others = messages
    if not others:
        return [{**system, "role": "user"}]
    first, *rest = others
    return [{**first, "content": f"{system['content']}\n\n{first['content']}"}, *rest]
