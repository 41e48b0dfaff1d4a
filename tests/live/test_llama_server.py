"""A true llama-server of llama.cpp; the model is tiny and random, the rest is real."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.live.runs import SMALL, answered_twice, killed, project_with, serving, stored
from tests.live.test_annotation import CONCURRENCY, KIND, annotating
from tests.live.test_annotation import check as check_annotations
from tests.live.test_vllm import check_second_run, check_store, run
from tests.live.tiny_llama import TEMPLATE, write_gguf
from tests.smoke_project import SMOKE_PARAMETERS, newest
from tkre.generation.llm.openai import LOCAL, OpenAIServer
from tkre.generation.llm.params import backend_params
from tkre.generation.llm.protocol import Request, Response, Sampling

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("llama-server") is None or find_spec("gguf") is None,
        reason="needs llama-server and gguf: tests/live/make_llama_server.sh",
    ),
]
# Two threads would wait for each other on a busy machine.
os.environ.setdefault("LLAMA_ARG_THREADS", "1")
CONTEXT = 4096  # tokens of each of the four requests that the command below has at once
# The template of a thinking model, which has a switch.
THINKS = TEMPLATE.replace(
    "{{ message['content'] }}",
    "{% if message['reasoning_content'] %}<think>\n{{ message['reasoning_content'] }}\n</think>\n\n"
    "{% endif %}{{ message['content'] }}",
).removesuffix("{% endif %}") + (
    "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n"
    "{% else %}<think>\n{% endif %}{% endif %}"
)


def llama_server(file: Path, folder: Path, *options: str) -> AbstractContextManager[str]:
    """The command that messages and docs name, with a port of its own."""
    command = LOCAL["llama_server"].replace("<file>.gguf", str(file)).split()
    return serving([*command, *options], folder / "log")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Of the model and of the server's log."""
    return tmp_path_factory.mktemp("llama_server")


@pytest.fixture(scope="module")
def file(tiny_llama, folder) -> Path:
    return write_gguf(tiny_llama, folder / "tiny.gguf", 2 * CONTEXT)


@pytest.fixture(scope="module")
def settings(file, folder) -> Iterator[dict[str, Any]]:
    with llama_server(file, folder) as address:
        yield {"backend": "llama_server", "model": "tiny", "base_url": address}


def requests_of(log: Path) -> int:
    """Questions that a server has begun to answer, by its own log."""
    return len(slots_of(log))


def slots_of(log: Path) -> list[str]:
    """The slots in which it has done so."""
    text = log.read_text(encoding="utf-8", errors="replace")
    return re.findall(r"id +(\d+) \| task \d+ \| processing task", text)


def ask(
    settings: dict[str, Any], schema: dict[str, Any], content: str, tokens: int, n: int = 1
) -> list[Response]:
    server = OpenAIServer(backend_params(settings), None)
    server.check()
    asked = [
        Request(f"r{i}", ({"role": "user", "content": f"{content} {i}"},), schema,
                Sampling(max_tokens=tokens))
        for i in range(n)
    ]  # fmt: skip
    try:
        return list(server.generate(asked))
    finally:
        server.close()


def record(**fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields),
            "additionalProperties": False}  # fmt: skip


def test_explanations_and_sentences(tiny_backbone, settings, folder, tmp_path):
    project = project_with(tmp_path, tiny_backbone, settings)
    before = requests_of(folder / "log")
    run(project, "--pipelines", "data_generation")
    check_store(project)
    assert {line["source"] for line in stored(project)} == {f"openai {settings['base_url'][7:-3]}"}
    assert requests_of(folder / "log") - before == len(stored(project))
    assert set(slots_of(folder / "log")) == {"0", "1", "2", "3"}, "as many at once as `-np`"
    check_second_run(project)


def test_annotations_in_runs_that_are_killed(tiny_backbone, settings, folder, tmp_path):
    project = annotating(tmp_path, tiny_backbone, settings)
    before = requests_of(folder / "log")
    killed(project, [14, 44], KIND)
    check_annotations(project)
    sent, lines = requests_of(folder / "log") - before, stored(project)
    assert len(lines) <= sent <= len(lines) + 2 * CONCURRENCY
    answers = [x for x in lines if x["request_id"].startswith(KIND) and "response" in x]
    assert len(answers) > len(lines) / 3


def test_the_language_model_as_a_classifier(tiny_backbone, settings, tmp_path):
    project = project_with(tmp_path, tiny_backbone, settings,
                           SMALL | {"annotations": {"sampling": {"max_tokens": 100}}})  # fmt: skip
    few = {"llm_in_context": {"in_context": {"rows": 20, "demonstrations": 1}}}
    variants = SMOKE_PARAMETERS["variants"] | few
    project.write("conf/smoke/parameters.yml", SMOKE_PARAMETERS | {"variants": variants})
    grid = {"corpora": ["newsroom"], "variants": ["llm_in_context", "typ_marker"]}
    project.write("conf/smoke/experiments.yml", {"demo": grid})
    run(project, "--pipelines", "demo")
    lines = stored(project)
    assert answered_twice(project) == []
    assert len({line["request_id"] for line in lines}) == 20
    assert all(line["request_id"].startswith("classification/") for line in lines)
    cells = pd.read_csv(newest(project, "08_reporting/demo/cells.csv"))
    assert 10 < cells.loc[0, "rows"] <= 20


@pytest.mark.parametrize(
    "names",
    [
        ["出生于", "居住在", "没有关系"],
        ["per:city_of_birth", 'a "b" \\ c/d', " leading", "é/ü", "NA"],
        [f"relation number {n} with a name of several words" for n in range(400)],
    ],
)
def test_labels_of_any_language_and_number(settings, names, caplog):
    schema = record(relation={"type": "string", "enum": names},
                    confidence={"type": "integer", "minimum": 0, "maximum": 100})  # fmt: skip
    answers = ask(settings, schema, "问题", 300, 8)
    assert {a.answer["relation"] in names for a in answers if a.answer} == {True}
    assert all(a.answer for a in answers) and caplog.text == ""


def test_sentences_by_the_dozen_and_long_texts(settings, caplog):
    """What the schemas of this project may be: bounds above 500 are not sent."""
    text = {"type": "string", "minLength": 1, "maxLength": 20}
    item = record(sentence=text, triggers={"type": "array", "items": text, "maxItems": 8})
    many = record(samples={"type": "array", "items": item, "minItems": 32, "maxItems": 32})
    [answer] = ask(settings, many, "Hello", 4000)
    assert answer.answer and len(answer.answer["samples"]) == 32
    [cut] = ask(settings, record(text=text | {"maxLength": 5000}), "Hello", 40)
    assert (cut.reason, cut.completion_tokens) == ("truncated", 40)
    assert caplog.text == ""


def test_a_schema_that_is_refused_is_sent_in_another_form(settings, caplog):
    schema = record(text={"type": "string", "minLength": 2500})
    [refused] = ask(settings | {"response_format": "json_schema"}, schema, "Hello", 20)
    assert refused.reason == "refused_request" and "failed to parse grammar" in refused.error
    [answer] = ask(settings | {"response_format": "auto"}, schema, "Hello", 20)
    assert answer.reason == "truncated" and "without bounds above 500" in caplog.text


def test_the_context_ends_before_or_after_the_question(settings):
    schema = record(text={"type": "string"})
    [long] = ask(settings, schema, "x " * 2 * CONTEXT, 10)
    assert (long.reason, long.settled) == ("context_exceeded", False)
    assert f"({CONTEXT} tokens)" in long.error and "llama-server: -c" in long.error
    [thousand] = ask(settings, schema, "x " * 1000, 10)
    assert thousand.reason == "truncated" and thousand.prompt_tokens > 1000
    [full] = ask(settings, schema, "x " * (1000 * (CONTEXT - 50) // thousand.prompt_tokens), 500)
    assert full.reason == "context_full" and full.prompt_tokens > CONTEXT - 100


def test_a_thinking_model(tmp_path, file):
    template = tmp_path / "template.jinja"
    template.write_text(THINKS, encoding="utf-8")
    schema = record(text={"type": "string", "minLength": 1, "maxLength": 20})
    options = ("--chat-template-file", str(template))

    def answer(address: str, **changed: Any) -> Response:
        settings = {"backend": "llama_server", "model": "tiny", "base_url": address}
        [answer] = ask(settings | changed, schema, "Hello", 60)
        return answer

    with llama_server(file, tmp_path, *options) as address:
        lost = answer(address)
        assert lost.reason == "truncated" and "cut off inside its reasoning" in lost.error
        bounded = answer(address, reasoning_tokens=50, extra_body={"reasoning_budget_tokens": 50})
        assert bounded.answer and bounded.completion_tokens > 50
        off = answer(address, extra_body={"chat_template_kwargs": {"enable_thinking": False}})
        assert off.answer
    with llama_server(file, tmp_path, *options, "--reasoning", "off") as address:
        assert answer(address).answer


def test_any_name_of_a_model_is_taken(settings):
    """A server of one file answers by any: the one in the settings stands in the store."""
    schema = record(text={"type": "string", "maxLength": 20})
    other = settings | {"model": "another", "extra_body": {"logprobs": True, "top_logprobs": 2}}
    [answer] = ask(other, schema, "Hello", 60)
    assert answer.answer
