"""Pages of the docs, typed word for word in a project with a tiny model."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.docs.markdown import Block
from tests.smoke_project import SMOKE_PARAMETERS, Project

# Two layers, random weights: some steps more than elsewhere, so that rows are learnt by heart.
RATES = {"learning_rate": 5e-3, "head_learning_rate": 1e-2, "batch_size": 8}
LEARNS = {"samples_per_relation": 60, "min_epochs": 1, "layers": [1, 2], "max_length": 256,
          "optimisation": RATES}  # fmt: skip


def project_that_learns(folder: Path, backbone: Path) -> Project:
    """A project whose doctor finds nothing to say against the tiny model."""
    project = Project(folder, backbone)
    variants = SMOKE_PARAMETERS["variants"]
    parameters = SMOKE_PARAMETERS | {
        "variants": variants | {"tkre_plus": variants["tkre_plus"] | {"finetuning": LEARNS}}
    }
    project.write("conf/smoke/parameters.yml", parameters)
    return project


def commands(blocks: list[Block]) -> list[tuple[str, list[str]]]:
    """The commands of a page in their order, each with the lines that it is shown to print."""
    found: list[tuple[str, list[str]]] = []
    for block in blocks:
        lines = [line for line in block.code.splitlines() if line.strip()]
        if block.language == "bash":
            found += [(line, []) for line in lines]
        elif block.language == "text":
            found[-1][1].extend(line for line in lines if line != "...")
    return found


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


def typed(command: str, folder: Path, shown: list[str] | None = None, code: int = 0) -> str:
    """What a command prints; it must end as it is meant to, and print the lines that are shown."""
    process = started(command, folder)
    stdout, stderr = process.communicate()
    assert process.returncode == code, f"{command}\n{stdout[-3000:]}{stderr[-3000:]}"
    printed = {line.rstrip() for line in stdout.splitlines()}
    assert [line for line in shown or () if line.rstrip() not in printed] == [], command
    return stdout
