"""The guide docs/own-relations.md, followed word for word with a tiny model."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.smoke_project import SMOKE_PARAMETERS, Project

pytestmark = pytest.mark.slow

GUIDE = (ROOT / "docs/own-relations.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(bash|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What these print is the same on every machine, so the guide must show it as it is.
SAME_EVERYWHERE = ("corpus new", "corpus validate", "corpus questions", "corpus answers",
                   "corpus candidates")  # fmt: skip
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


def typed(command: str, folder: Path, code: int) -> str:
    """What a command prints; it must end as it is meant to."""
    kedro = f"{shlex.quote(sys.executable)} -m kedro "
    environment = os.environ | {"KEDRO_ENV": "smoke", "COLUMNS": "100", "OMP_NUM_THREADS": "1",
                                "TKRE_DATA": "data/01_raw"}  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", re.sub("^kedro ", kedro, command)],
        cwd=folder, env=environment, text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, f"{command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


def test_every_command_of_the_guide_does_what_the_guide_says(project):
    for command, shown in commands():
        refused = any(line.startswith("error") for line in shown)
        output = typed(command, project.folder, code=int(refused))
        printed = [line.rstrip() for line in output.splitlines()]
        if any(same in command for same in SAME_EVERYWHERE):
            assert shown, f"the guide does not show what {command} prints"
            assert [line for line in shown if line.rstrip() not in printed] == [], command
    assert (project.folder / "data/07_model_output/theatre/labels/raw.parquet").is_file()


def test_the_guide_names_no_path_of_a_machine():
    assert not re.search(r"(?:^|[\s\"'(])/(?:home|tmp|work|root|Users)/", GUIDE)
