"""Real vLLM, inside the run and as a server; the model is tiny and random, the rest is real."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from tests.live.runs import (
    STORE,
    answered_twice,
    choose,
    knowledge,
    project_with,
    stored,
    wait_until_gone,
)
from tests.smoke_project import Project
from tkre.generation.llm.protocol import LanguageModelError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.vllm,
    pytest.mark.skipif(find_spec("vllm") is None, reason="tests/live/make_environment.sh"),
]
REPLAY = {"backend": "replay", "model": "tiny", "strict": True}


def run(project: Project, *arguments: str) -> str:
    result = project.kedro("run", *arguments)
    assert result.returncode == 0, result.stdout[-6000:]
    return result.stdout


def check_store(project: Project) -> None:
    """Every request has an answer that fits its schema, or a reason that is counted."""
    lines = stored(project)
    assert answered_twice(project) == []
    ids = {line["request_id"] for line in lines}
    assert sum(i.startswith("explanation/") for i in ids) == 88
    assert sum(i.endswith("/round-0") for i in ids) == 11
    assert all(("response" in line) != ("reason" in line) for line in lines)
    assert all(line["prompt_tokens"] > 0 and line["seconds"] > 0 for line in lines)
    assert all(line["model"] == "tiny" and line["source"] and line["finished"] for line in lines)
    answers = [line for line in lines if "response" in line]
    assert len(answers) > len(lines) / 3, "with a schema, random weights too write JSON"
    for line in answers:
        keys = {"explanation", "triggers"} if "explanation/" in line["request_id"] else {"samples"}
        assert set(line["response"]) == keys
    [table] = (project.folder / "data/04_feature/newsroom/k8/s13/yield.csv").glob("*/*.csv")
    counts = pd.read_csv(table).groupby("kind")[["requested", "rejected", "kept", "surplus"]].sum()
    explained = counts.loc["explanation"]
    assert explained["requested"] == sum("explanation/" in line["request_id"] for line in lines)
    assert explained["requested"] == explained["rejected"] + explained["kept"]


def check_second_run(project: Project) -> None:
    """A second run asks for nothing, and so does a replay of what the first left."""
    before = (project.folder / STORE).read_bytes()
    first = knowledge(project)
    printed = run(project, "--pipelines", "data_generation")
    asked = re.findall(r"will be asked (\d+) first questions", printed)
    # Nothing is planned where all nodes that ask are up to date.
    assert set(asked) <= {"0"} and "nodes were up to date" in printed and "vLLM" not in printed
    assert (project.folder / STORE).read_bytes() == before
    assert knowledge(project) == first
    choose(project, REPLAY)
    run(project, "--pipelines", "data_generation")
    assert (project.folder / STORE).read_bytes() == before
    assert knowledge(project) == first


def check_export(project: Project, backbone: Path, folder: Path) -> None:
    """Somebody else replays the store, without vLLM and without this project's files."""
    elsewhere = project_with(folder, backbone, REPLAY)
    target = elsewhere.folder / "data/01_raw/newsroom/recordings.jsonl"
    result = project.kedro("generation", "export", "newsroom", str(target))
    assert "of tiny by vllm" in result.stdout, result.stdout
    run(elsewhere, "--pipelines", "data_generation")
    assert knowledge(elsewhere) == knowledge(project)


def test_in_process(tiny_backbone, tiny_llama, tmp_path):
    settings = {"backend": "vllm", "model": str(tiny_llama), "name": "tiny", "max_model_len": 2048,
                "enforce_eager": True}  # fmt: skip
    project = project_with(tmp_path / "project", tiny_backbone, settings)
    sample = "newsroom.k8.s13"
    wanted = f"{sample}.knowledge,{sample}.rejects,{sample}.typ_marker.classifier"
    # One process, as on a GPU: without one, another would train beside the engine.
    one = ("--runner-params", "workers=1")
    printed = run(project, "--pipelines", "__default__", "--to-outputs", wanted, *one)
    assert printed.count("starting") == 1, "the engine starts once"
    closed, trained = (
        printed.index("engine closed"),
        printed.index(f"{sample}.typ_marker finetuning"),
    )
    assert closed < trained, "the GPU is given back before training"
    wait_until_gone(project.folder)
    check_store(project)
    check_second_run(project)
    check_export(project, tiny_backbone, tmp_path / "elsewhere")


def test_as_a_server(tiny_backbone, served, tmp_path):
    settings = {"backend": "openai", "model": "tiny", "base_url": served}
    project = project_with(tmp_path / "project", tiny_backbone, settings)
    run(project, "--pipelines", "data_generation")
    check_store(project)
    assert {line["source"] for line in stored(project)} == {f"openai {served[7:-3]}"}
    check_second_run(project)


@pytest.mark.filterwarnings("ignore")  # vLLM and what it imports are full of them
def test_a_model_larger_than_a_machine_is_vllm_s_own_affair(tiny_llama):
    """The settings reach vLLM's own configuration; there is one machine here, and no Ray."""
    from vllm import EngineArgs

    from tkre.generation.llm.params import VllmParams
    from tkre.generation.llm.vllm import VllmEngine

    params = VllmParams(backend="vllm", model=str(tiny_llama), tensor_parallel_size=4,
                        pipeline_parallel_size=2, distributed_executor_backend="ray",
                        engine={"seed": 5})  # fmt: skip
    arguments = EngineArgs(**VllmEngine(params).arguments())
    assert (arguments.tensor_parallel_size, arguments.pipeline_parallel_size) == (4, 2)
    assert arguments.distributed_executor_backend == "ray" and arguments.seed == 5
    assert arguments.enable_prefix_caching is True and arguments.trust_remote_code is False
    with pytest.raises(LanguageModelError, match="package ray"):
        VllmEngine(params.model_copy(update={"model": "hub/name"})).check()


@pytest.mark.filterwarnings("ignore")
def test_the_schema_is_a_request_s_own_and_prefixes_are_shared(tiny_llama):
    from tests.generation.test_huggingface import SCHEMA, requests
    from tkre.generation.llm.params import VllmParams
    from tkre.generation.llm.protocol import Request, Sampling
    from tkre.generation.llm.vllm import VllmEngine

    params = VllmParams(backend="vllm", model=str(tiny_llama), max_model_len=2048,
                        enforce_eager=True, engine={"disable_log_stats": False})  # fmt: skip
    engine = VllmEngine(params)
    shared = "Relation: lives in. " * 60
    batch = requests(*(f"{shared} Sentence {n}" for n in range(8)),
                     sampling=Sampling(max_tokens=60))  # fmt: skip
    number = {"type": "object", "properties": {"n": {"enum": [1, 2]}}, "required": ["n"],
              "additionalProperties": False}  # fmt: skip
    batch.append(Request("number", batch[0].messages, number, Sampling(max_tokens=60)))
    batch.append(Request("long", ({"role": "user", "content": "x y " * 3000},), SCHEMA, Sampling()))
    try:
        first = {r.request_id: r for r in engine.generate(batch)}
        assert first["number"].answer in ({"n": 1}, {"n": 2})
        assert first["long"].reason == "prompt_too_long"
        assert all(json.dumps(r.answer) != "{}" for r in first.values())
        list(engine.generate([r for r in batch if r.id != "long"]))
        metrics = {m.name: m for m in engine._llm.get_metrics()}
        assert metrics["vllm:prefix_cache_hits"].value > 0
        # What is stopped half-way leaves nothing behind for the next question.
        answers = engine.generate(batch[:8])
        next(answers)
        answers.close()
        assert {r.request_id for r in engine.generate(batch[:3])} == {"r0", "r1", "r2"}
    finally:
        engine.close()
