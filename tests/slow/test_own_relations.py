"""The guide docs/own-relations.md, followed word for word with a tiny model."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.smoke_project import SMOKE_PARAMETERS, Project

pytestmark = pytest.mark.slow

GUIDE = (ROOT / "docs/own-relations.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What these print is the same on every machine, so the guide must show it as it is.
SAME_EVERYWHERE = ("corpus new", "corpus validate", "corpus questions", "corpus answers",
                   "corpus candidates", "corpus review")  # fmt: skip
# Two layers, random weights: some steps more than elsewhere, so that rows are learnt by heart.
RATES = {"learning_rate": 5e-3, "head_learning_rate": 1e-2, "batch_size": 8}
LEARNS = {"samples_per_relation": 60, "min_epochs": 1, "layers": [1, 2], "max_length": 256,
          "optimisation": RATES}  # fmt: skip


def commands() -> list[tuple[str, list[str]]]:
    """The commands of the guide in their order, each with the lines that it is shown to print."""
    found: list[tuple[str, list[str]]] = []
    for kind, content in BLOCK.findall(GUIDE):
        lines = content.splitlines()
        if kind == "bash":
            found += [(line, []) for line in lines if line.strip()]
        else:
            found[-1][1].extend(line for line in lines if line.strip() and line != "...")
    return found


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    project = Project(tmp_path, tiny_backbone)
    variants = SMOKE_PARAMETERS["variants"]
    parameters = SMOKE_PARAMETERS | {
        "variants": variants | {"tkre_plus": variants["tkre_plus"] | {"finetuning": LEARNS}}
    }
    project.write("conf/smoke/parameters.yml", parameters)
    shutil.copytree(ROOT / "docs/examples", project.folder / "docs/examples")
    return project


def started(command: str, folder: Path) -> subprocess.Popen[str]:
    """A command in the project."""
    kedro = f"{shlex.quote(sys.executable)} -m kedro "
    environment = os.environ | {"KEDRO_ENV": "smoke", "COLUMNS": "100", "OMP_NUM_THREADS": "1",
                                "TKRE_DATA": "data/01_raw"}  # fmt: skip
    command = re.sub("^kedro ", kedro, command)
    if command.endswith("&"):  # the process itself, not a shell around it, is to be ended
        command, pipe = f"exec {command.rstrip('& ')}", subprocess.DEVNULL
    else:
        pipe = subprocess.PIPE
    return subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe
    )


def typed(command: str, folder: Path, code: int) -> str:
    """What a command prints; it must end as it is meant to."""
    process = started(command, folder)
    stdout, stderr = process.communicate()
    done = subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
    assert done.returncode == code, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture
def services() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that go on beside the commands after them."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.terminate()
        process.wait(60)


def test_every_command_of_the_guide_does_what_the_guide_says(project, services):
    for command, shown in commands():
        if command.endswith("&"):
            services.append(started(command, project.folder))
            continue
        refused = any(line.startswith("error") for line in shown)
        output = typed(command, project.folder, code=int(refused))
        printed = [line.rstrip() for line in output.splitlines()]
        if any(same in command for same in SAME_EVERYWHERE):
            assert shown, f"the guide does not show what {command} prints"
            assert [line for line in shown if line.rstrip() not in printed] == [], command
    assert (project.folder / "data/07_model_output/theatre/labels/raw.parquet").is_file()
    # The last command asks the service.
    [prediction] = json.loads(output)["predictions"]
    assert prediction["relation"] in {"wrote_play", "directed_play", "none"}


def test_the_guide_names_no_path_of_a_machine():
    assert not re.search(r"(?:^|[\s\"'(])/(?:home|tmp|work|root|Users)/", GUIDE)
