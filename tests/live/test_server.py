"""Whole runs against a server: where the key comes from, and what is left when it fails."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.generation.chat_server import Body, ChatServer, Reply
from tests.live.runs import choose, project_with, stored
from tests.live.test_kills import made_up
from tests.smoke_project import Project
from tkre.generation.llm.protocol import UNANSWERED

pytestmark = pytest.mark.slow
KEY = "sk-very-secret"


def settings(server: ChatServer) -> dict[str, object]:
    return {"backend": "openai", "model": "m", "base_url": server.url, "retries": 1, "timeout": 2.0,
            "give_up_after": 60}  # fmt: skip


def run(project: Project) -> str:
    result = project.kedro("run", "--pipelines", "data_generation")
    assert result.returncode == 0, result.stdout[-3000:]
    return result.stdout


@pytest.mark.parametrize("place", ["environment", "credentials.yml"])
def test_the_key_comes_from_a_place_that_is_never_committed(
    tiny_backbone, tmp_path, monkeypatch, place
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ChatServer(made_up) as server:
        project = project_with(tmp_path / "project", tiny_backbone, settings(server))
        if place == "environment":
            monkeypatch.setenv("OPENAI_API_KEY", KEY)
            printed = run(project)
        else:
            # A run reads conf/local where no other environment is named.
            (project.folder / "conf/smoke").rename(project.folder / "conf/local_")
            (project.folder / "conf/local").rmdir()
            (project.folder / "conf/local_").rename(project.folder / "conf/local")
            project.write("conf/local/credentials.yml", {"language_model": {"api_key": KEY}})
            result = project.kedro("run", "--pipelines", "data_generation", env="local")
            assert result.returncode == 0, result.stdout[-3000:]
            printed = result.stdout
        assert set(server.keys) == {f"Bearer {KEY}"}
    assert KEY not in printed
    written = [p for p in (project.folder / "data").rglob("*") if p.is_file()]
    assert written and not [p for p in written if KEY.encode() in p.read_bytes()]


def test_a_server_that_fails_in_every_way_costs_rows_and_not_the_run(tiny_backbone, tmp_path):
    failures = [
        Reply("slow down", status=429, headers={"Retry-After": "0.01"}), Reply("x", status=500),
        Reply("{}", cut=True), Reply(raw="<html>"), Reply("no JSON"), Reply('{"other": 1}'),
        Reply("", delay=20),
    ]  # fmt: skip
    broken: dict[str, Reply] = {}

    def answer(body: Body, tries: int) -> Reply:
        question = str(body["messages"])
        if question not in broken and len(broken) < len(failures):
            broken[question] = failures[len(broken)]
        return broken.get(question) or made_up(body, tries)

    with ChatServer(answer) as server:
        project = project_with(tmp_path / "project", tiny_backbone, settings(server))
        printed = run(project)
        sent = len(server.received)
    lines = stored(project)
    reasons = {line["reason"] for line in lines if "reason" in line}
    assert {"rate_limited", "server_error", "unreachable", "timed_out", "not_json",
            "wrong_schema"} <= reasons  # fmt: skip
    # Two tries of what fails, three attempts at most at what is of no use: nothing loops.
    assert sent <= len(lines) + len(failures)
    assert "88 sent" in printed and "failed (" in printed and "first failure" in printed
    [table] = (project.folder / "data/04_feature/newsroom/k8/s13/rejects.csv").glob("*/*.csv")
    assert reasons <= set(pd.read_csv(table)["reason"])
    answered = {
        line["request_id"] for line in lines
        if "response" in line and line["request_id"].startswith("explanation/")
    }  # fmt: skip
    # 88 questions, 7 of them broken; of the others a seventh of the answers is cut off, twice in a
    # row for few.
    assert 72 <= len(answered) <= 81
    # The next run sends what the server, not the model, has failed.
    open_ids = {line["request_id"] for line in lines if line.get("reason") in UNANSWERED}
    failures.clear()
    broken.clear()
    with ChatServer(answer) as healthy:
        choose(project, settings(healthy))
        printed = run(project)
    assert "had no answer and are sent again" in printed
    again = stored(project)[len(lines) :]
    assert open_ids <= {line["request_id"] for line in again}
    assert not {line.get("reason") for line in again} & UNANSWERED
