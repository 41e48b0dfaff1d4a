"""On a real Ray cluster of two workers on this machine."""

from __future__ import annotations

import json
import os
import re
import signal
import time

import psutil
import pytest

from tests.smoke_project import Project, newest

pytestmark = pytest.mark.slow

pytest.importorskip("ray", reason="needs the extra `scale`")
GRID = {"corpora": ["newsroom"], "variants": ["typ_marker", "tkre"]}
RAY = ("--runner", "tkre.runner.RayRunner", "--runner-params", "workers=2")


def ready(folder, backbone) -> Project:
    folder.mkdir()
    project = Project(folder, backbone)
    project.write("conf/smoke/experiments.yml", {"two": GRID})
    return project


def weights(project: Project) -> dict[str, str]:
    return {
        name: json.loads(
            newest(project, f"07_model_output/newsroom/k8/s13/{name}/lineage.json").read_text()
        )["steps"][-1]["weights"]
        for name in GRID["variants"]
    }


@pytest.fixture(scope="module")
def alone(tiny_backbone, tmp_path_factory) -> Project:
    project = ready(tmp_path_factory.mktemp("runs") / "alone", tiny_backbone)
    result = project.kedro("run", "--pipelines", "two")
    assert result.returncode == 0, result.stdout
    return project


def test_two_workers_give_what_one_process_gives_though_one_is_killed(
    alone, tiny_backbone, tmp_path
):
    project = ready(tmp_path / "ray", tiny_backbone)
    with project.started("run", "--pipelines", "two", *RAY) as process:
        killed = kill_a_worker(process.pid, at=(".pretrain_", ".finetune"))
        printed = process.stdout.read()
    assert process.returncode == 0, printed
    assert killed
    assert weights(project) == weights(alone)
    scores = [newest(p, "08_reporting/two/summary.csv").read_text() for p in (project, alone)]
    assert scores[0] == scores[1]
    again = project.kedro("run", "--pipelines", "two", *RAY)
    assert re.search(r"0 nodes run, \d+ were up to date", again.stdout), again.stdout


def kill_a_worker(driver: int, at: tuple[str, ...]) -> bool:
    """SIGKILL to the worker of the first task that trains, found by the name of its process."""
    for _ in range(1200):
        for process in psutil.Process(driver).children(recursive=True):
            try:
                if any(task in "".join(process.cmdline()) for task in at):
                    os.kill(process.pid, signal.SIGKILL)
                    return True
            except psutil.Error:
                continue
        time.sleep(0.1)
    return False


def test_what_a_node_raises_ends_the_run_with_its_message(tiny_backbone, tmp_path):
    project = ready(tmp_path / "broken", tiny_backbone)
    project.edit("data/01_raw/newsroom/test.jsonl", "<head>", "<heat>")
    result = project.kedro("run", "--pipelines", "two", *RAY)
    assert result.returncode != 0 and "test.jsonl" in result.stdout
