"""Unlabelled text annotated in rounds by a live server, in runs that are killed twice."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.generation.chat_server import Body, ChatServer, Reply
from tests.live.runs import (
    SMALL,
    STORE,
    killed,
    project_with,
    stored,
)
from tests.live.test_kills import made_up
from tests.smoke_project import Project

pytestmark = pytest.mark.slow
ROWS, ROUND, VOTES, CONCURRENCY = 30, 8, 2, 4
SAMPLE = f"newsroom/k0x0a{ROWS}b/s13"  # nothing else is asked
KIND = "annotation/"
EXPERIMENT = {
    "corpora": ["newsroom"], "shots": 0, "synthetic": 0, "annotated": ROWS,
    "chosen": "uncertain_and_diverse", "variants": ["tkre_plus_zero_annotated"],
    "baseline": "tkre_plus_zero_annotated",
}  # fmt: skip
ANSWERS = SMALL | {
    "annotations": {"votes": VOTES, "round_size": ROUND, "sampling": {"max_tokens": 700}},
}  # fmt: skip


def annotating(folder: Path, backbone: Path, settings: dict[str, Any]) -> Project:
    settings = {"backend": "openai", "concurrency": CONCURRENCY} | settings
    project = project_with(folder, backbone, settings, ANSWERS)
    project.write("conf/smoke/experiments.yml", {"demo": EXPERIMENT})
    return project


def finished(project: Project) -> str:
    result = project.kedro("run", "--pipelines", "data_generation")
    assert result.returncode == 0, result.stdout[-6000:]
    return result.stdout


def report_of(project: Project) -> dict[str, Any]:
    path = project.folder / f"data/04_feature/{SAMPLE}/unlabelled_report.json"
    return json.loads(path.read_text(encoding="utf-8"))


def rows_of(project: Project) -> list[str]:
    """Ids of the rows that were asked about, in their order."""
    path = project.folder / f"data/04_feature/{SAMPLE}/unlabelled.parquet"
    return pd.read_parquet(path)["id"].tolist()


def check(project: Project) -> None:
    """The rows of all rounds were asked about, and no others; a second run asks nothing."""
    report, rows = report_of(project), rows_of(project)
    assert (report["taken"], report["kept_out"]) == (ROWS, 6) and report["rounds"] == [8, 8, 8]
    asked = {line["request_id"] for line in stored(project)}
    asked = {i for i in asked if i.startswith(KIND)}
    first = {f"annotation/newsroom/{row}" for row in rows}
    assert asked == first | {f"{i}/vote-2" for i in first} and len(first) == ROWS
    before = (project.folder / STORE).read_bytes()
    assert "nodes were up to date" in finished(project)
    assert (project.folder / STORE).read_bytes() == before


def reads(body: Body, tries: int) -> Reply:
    """Annotates by the question alone; other questions are answered as in other tests."""
    properties = body["response_format"]["json_schema"]["schema"]["properties"]
    if "relation" not in properties:
        return made_up(body, tries)
    key = json.dumps([body["messages"], body["seed"]])
    number = int(hashlib.sha256(key.encode()).hexdigest(), 16)
    choices = properties["relation"]["enum"]
    answer = {"relation": choices[number % len(choices)], "confidence": number % 101,
              "triggers": ["invented"] if number % 7 == 0 else []}  # fmt: skip
    return Reply(json.dumps(answer), delay=0.02)


def test_a_server_that_answers_by_the_question(tiny_backbone, tmp_path):
    with ChatServer(reads) as server:
        settings = {"model": "m", "base_url": server.url}
        unbroken = annotating(tmp_path / "unbroken", tiny_backbone, settings)
        finished(unbroken)
        sent_unbroken = Counter(json.dumps(b, sort_keys=True) for b in server.received)
        server.received.clear()
        project = annotating(tmp_path / "killed", tiny_backbone, settings)
        killed(project, [14, 44], KIND)
        sent = Counter(json.dumps(b, sort_keys=True) for b in server.received)
    check(project)
    assert rows_of(project) == rows_of(unbroken)
    assert set(sent) == set(sent_unbroken)
    # Only requests under way at a kill are sent twice.
    assert sum(n - 1 for n in sent.values()) <= 2 * CONCURRENCY


@pytest.mark.vllm
@pytest.mark.skipif(find_spec("vllm") is None, reason="tests/live/make_environment.sh")
def test_a_server_that_enforces_the_schema(tiny_backbone, served, tmp_path):
    """vLLM with a tiny random model: its answers fit the schema, and mean nothing."""
    settings = {"model": "tiny", "base_url": served}
    project = annotating(tmp_path / "killed", tiny_backbone, settings)
    before = answered_by(served)
    killed(project, [14, 44], KIND)
    check(project)
    lines = [line for line in stored(project) if line["request_id"].startswith(KIND)]
    answers = [line["response"] for line in lines if "response" in line]
    reasons = Counter(line["reason"] for line in lines if "reason" in line)
    print(f"{len(lines)} attempts at annotations, {len(answers)} answers, {reasons}")  # noqa: T201
    assert len(answers) > len(lines) / 3
    names = set(json.loads(schema_of(project).read_text(encoding="utf-8"))["relations"])
    for answer in answers:
        assert answer["relation"] in names and 0 <= answer["confidence"] <= 100
        assert isinstance(answer["triggers"], list)
    sent = answered_by(served) - before
    print(f"{sent} answered by the server, {len(stored(project))} of them stored")  # noqa: T201
    assert len(stored(project)) <= sent <= len(stored(project)) + 2 * CONCURRENCY


def schema_of(project: Project) -> Path:
    return project.folder / "data/02_intermediate/newsroom/schema.json"


def answered_by(address: str) -> int:
    """Requests that the server has come to an end with, by its own count."""
    with urllib.request.urlopen(address.replace("/v1", "/metrics")) as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(x.rpartition(" ")[2]) for x in lines
                   if x.startswith("vllm:request_success_total")))  # fmt: skip
