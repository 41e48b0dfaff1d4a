"""``kedro generation plan`` and ``export``, as they are typed."""

from __future__ import annotations

import json

import pytest

from tests.generation.chat_server import ChatServer, Reply
from tests.live.runs import STORE, choose, stored, whole_lines
from tests.smoke_project import Project

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    project = Project(tmp_path, tiny_backbone)
    # Explanations and sentences alone.
    project.edit("conf/base/experiments.yml", "annotated: 1012", "annotated: 0")
    return project


def live(server: ChatServer, **settings) -> dict[str, object]:
    return {"backend": "openai", "model": "m", "base_url": server.url, "retries": 0} | settings


def plan(project: Project, *arguments: str) -> tuple[dict[str, list[str]], str]:
    """Rows of the table by kind, and all that was printed."""
    result = project.kedro("generation", "plan", *arguments)
    assert result.returncode == 0, result.stdout
    rows = [line.replace("\u2502", " ").split() for line in result.stdout.splitlines()]
    return {r[0]: r[1:] for r in rows if r and r[0] in ("explanation", "synthesis")
            and len(r) == 7}, result.stdout  # fmt: skip


def test_the_plan_of_a_replay(project):
    rows, _ = plan(project)
    assert rows["explanation"][:3] == ["88", "88", "0"]
    assert rows["synthesis"][:3] == ["11", "11", "0"]
    assert project.outputs() == set()


def test_a_plan_has_requests_and_costs_and_sends_nothing(project):
    with ChatServer(lambda body, tries: Reply("no")) as server:
        choose(project, live(server, prices={"prompt": 1000, "completion": 0}))
        rows, printed = plan(project, "--pipelines", "demo")
        assert server.received == []
    # K = 8 sentences, four to a request: two rounds of eleven relations.
    assert rows["explanation"][:3] == ["88", "0", "88"]
    assert rows["synthesis"][:3] == ["22", "0", "22"]
    tokens = [int(row[3].strip("~").replace(",", "")) for row in rows.values()]
    assert all(row[3].startswith("~") for row in rows.values())
    assert f"About ${sum(tokens) / 1000:,.2f}" in printed
    assert "letters of" in printed  # how long answers will be, from those that are recorded
    assert "up to 1 retries" in printed and "1 more rounds" in printed
    assert project.outputs() == set()


def test_tokens_are_counted_by_the_model_s_own_tokenizer(project, tiny_llama):
    choose(project, {"backend": "transformers", "model": str(tiny_llama)})
    rows, _ = plan(project)
    assert rows["explanation"][3].replace(",", "").isdigit()


def test_stored_requests_are_not_sent(project):
    answer = json.dumps({"explanation": "of no use", "triggers": []})
    with ChatServer(lambda body, tries: Reply(answer)) as server:
        choose(project, live(server))
        result = project.kedro("run", "--pipelines", "data_generation")
        assert result.returncode == 0, result.stdout
        rows, printed = plan(project)
        assert rows["explanation"][:3] == ["88", "88", "0"]
        assert "length of answers" not in printed  # nothing is to be asked
        # A changed setting asks again for exactly what it touches.
        rows, _ = plan(project, "--params", "generation.explanations.sampling.temperature=0.5")
        assert rows["explanation"][:3] == ["88", "0", "88"]
        assert rows["synthesis"][:3] == ["22", "22", "0"]
        project.edit("conf/base/prompts/synthesis.txt", "Vary topic", "Vary the topic")
        rows, _ = plan(project)
        assert rows["explanation"][2] == "0" and rows["synthesis"][2] == "22"
        rows, _ = plan(project, "--params", "generation.language_model.model=other")
        assert (rows["explanation"][2], rows["synthesis"][2]) == ("88", "22")


def test_an_export_says_where_it_came_from_and_is_replayed(project, tmp_path):
    answer = json.dumps({"explanation": "of no use", "triggers": []})
    with ChatServer(lambda body, tries: Reply(answer)) as server:
        choose(project, live(server, retries=2))  # a busy machine may break a connection
        project.kedro("run", "--pipelines", "data_generation")
    target = "data/01_raw/newsroom/recordings.jsonl"
    result = project.kedro("generation", "export", "newsroom", target)
    assert f"{whole_lines(project)} responses added, 0 were there" in result.stdout
    assert f"of m by openai {server.url[7:-3]}, 20" in result.stdout
    assert "0 responses added" in project.kedro("generation", "export", "newsroom", target).stdout
    lines = len(stored(project))
    (project.folder / STORE).unlink()
    choose(project, {"backend": "replay", "model": "m"})
    result = project.kedro("run", "--pipelines", "data_generation")
    assert result.returncode == 0, result.stdout
    assert "replay: the responses come from" in result.stdout and lines > 99


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plan", "--pipelines", "nothing"), "--pipelines: there is no pipeline 'nothing' ("),
        (("plan", "--pipelines", "dmeo"), "there is no pipeline 'dmeo' (did you mean 'demo'?)"),
        (("plan", "--pipelines", "reporting"), "reporting asks no language model"),
        (("export", "newsroom", "x.jsonl"), "no language model has answered anything for newsroom"),
        (("export", "newsrom", "x.jsonl"), "no corpus 'newsrom' (did you mean 'newsroom'?)"),
        (("plan", "--params", "generation.language_model.backend=gpt"), "backend"),
    ],
)
def test_what_cannot_be_done_is_said_without_a_traceback(project, arguments, message):
    result = project.kedro("generation", *arguments)
    assert result.returncode == 1
    assert message in " ".join(result.stdout.split()) and "Traceback" not in result.stdout
