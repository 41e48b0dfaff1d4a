"""Runs over one folder that must not mix: other parameters, other data, a clock that is behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest

from tests.smoke_project import Project, newest

pytestmark = pytest.mark.slow
PATIENCE = 1200.0  # seconds, after which something hangs
OTHER = ("--params", "variants.typ_marker.finetuning.samples_per_relation=24")
RUN = ("run", "--pipelines", "one", "--runner-params", "workers=1")
CELL = "finetuning.typ_marker-newsroom-k8-s13"
# What every Python process of a test does first: it stops itself when a node is done (so that a
# test knows where it stands), and takes its versions from a clock that is behind.
CUSTOM = """
import os, signal
if node_name := os.environ.get("TEST_PAUSE_AFTER"):
    from tkre.runner.grid import GridRunner, _Run
    execute, following = _Run.execute, GridRunner._next
    done = []
    def noted(self, node, *given):
        execute(self, node, *given)
        done.append(node.name)
    def then_pause(self, *given):
        following(self, *given)  # without the claim on the node
        if node_name in done:
            done.clear()
            os.kill(os.getpid(), signal.SIGSTOP)
    _Run.execute, GridRunner._next = noted, then_pause
if days := int(os.environ.get("TEST_CLOCK_BEHIND", 0)):
    from datetime import UTC, datetime, timedelta
    import kedro.io.core as core
    def behind():
        then = datetime.now(UTC) - timedelta(days=days)
        return f"{then.strftime(core.VERSION_FORMAT)[:-4]}Z"
    core.generate_timestamp = behind
"""


def ready(folder: Path, backbone: Path) -> Project:
    folder.mkdir(exist_ok=True)
    project = Project(folder, backbone)
    grid = {"corpora": ["newsroom"], "variants": ["typ_marker"]}
    project.write("conf/smoke/experiments.yml", {"one": grid})
    return project


def finished(project: Project, *arguments: str) -> str:
    result = project.kedro(*arguments)
    assert result.returncode == 0, result.stdout
    return result.stdout


def cells(project: Project) -> pd.DataFrame:
    table = pd.read_csv(newest(project, "08_reporting/one/cells.csv"))
    return table.drop(columns="seconds")


@pytest.fixture(scope="module")
def plain(tiny_backbone, tmp_path_factory) -> Project:
    """The recipe as it is, run alone."""
    project = ready(tmp_path_factory.mktemp("plain"), tiny_backbone)
    finished(project, *RUN)
    return project


@pytest.fixture(scope="module")
def scores(plain, tiny_backbone, tmp_path_factory) -> dict[str, pd.DataFrame]:
    """The scores of two recipes, each run in a folder of its own."""
    other = ready(tmp_path_factory.mktemp("other"), tiny_backbone)
    finished(other, *RUN, *OTHER)
    found = {"plain": cells(plain), "other": cells(other)}
    assert not found["plain"].equals(found["other"])
    return found


@pytest.fixture
def custom(tmp_path, monkeypatch) -> pytest.MonkeyPatch:
    """Sets what ``CUSTOM`` reads."""
    folder = tmp_path / "custom"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(CUSTOM)
    paths = [str(folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    return monkeypatch


def paused(project: Project, custom: pytest.MonkeyPatch, node: str) -> subprocess.Popen[str]:
    """A run that stands still behind a node."""
    with custom.context() as patch:
        patch.setenv("TEST_PAUSE_AFTER", node)
        process = project.started(*RUN)
    deadline = time.monotonic() + PATIENCE
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def goes_on(process: subprocess.Popen[str]) -> tuple[int, str]:
    process.send_signal(signal.SIGCONT)
    printed, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, printed


def test_a_paused_run_reports_its_own_classifier(scores, tiny_backbone, tmp_path, custom):
    project = ready(tmp_path / "project", tiny_backbone)
    first = paused(project, custom, f"{CELL}.finetune")
    finished(project, *RUN, *OTHER)
    assert cells(project).equals(scores["other"])
    code, printed = goes_on(first)
    assert code == 0, printed
    assert cells(project).equals(scores["plain"])


def test_a_run_whose_inputs_are_replaced_stops(tiny_backbone, tmp_path, custom):
    project = ready(tmp_path / "project", tiny_backbone)
    first = paused(project, custom, f"{CELL}.golden_rows")
    project.edit("data/01_raw/newsroom/train.jsonl", " the ", " a ")
    train = project.folder / "data/01_raw/newsroom/train.jsonl"
    train.write_text(train.read_text().replace(" the ", " that "))
    finished(project, *RUN)
    made = cells(project)
    code, printed = goes_on(first)
    text = " ".join(printed.split())
    assert code == 1 and "Traceback" not in printed, printed
    assert "training_rows" in text and "has changed since this run read or made it" in text
    assert "Run it again when the other has ended" in text
    assert cells(project).equals(made)  # nothing of it was reported
    assert "were up to date" in finished(project, *RUN)
    assert cells(project).equals(made)


def test_a_clock_that_is_behind_by_a_month(scores, plain, custom):
    custom.setenv("TEST_CLOCK_BEHIND", "31")
    finished(plain, *RUN, *OTHER)
    assert cells(plain).equals(scores["other"])
    classifiers = plain.folder / "data/06_models/newsroom/k8/s13/typ_marker/classifier"
    assert len([*classifiers.iterdir()]) == 2


def test_two_labelling_runs_at_once_keep_their_answers_apart(plain):
    names = {"one": ["Ada", "Bob"], "two": ["Cy", "Di", "Eve"]}
    for file, people in names.items():
        rows = [{"id": n, "sentence": f"<head>{n}</head> met <tail>Zoe</tail>."} for n in people]
        path = plain.folder / f"{file}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    cell = "inference.classifier=newsroom.k8.s13.typ_marker"
    runs = {
        file: plain.started("run", "--pipelines", "inference", "--params",
                              f"{cell},inference.sentences={file}.jsonl")
        for file in names
    }  # fmt: skip
    for file, process in runs.items():
        printed, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, printed
        [path] = re.findall(r"predictions: +(\S+\.jsonl)", printed)
        lines = (plain.folder / path).read_text().splitlines()
        assert [json.loads(line)["id"] for line in lines] == names[file], printed
