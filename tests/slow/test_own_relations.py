"""The guide docs/own-relations.md, followed word for word with a tiny model."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.docs.markdown import blocks
from tests.smoke_project import Project
from tests.transcripts import commands, project_that_learns, started, typed

pytestmark = pytest.mark.slow

GUIDE = ROOT / "docs/own-relations.md"
# What these print is the same on every machine, so the guide must show it as it is.
SAME_EVERYWHERE = ("corpus new", "corpus validate", "corpus questions", "corpus answers",
                   "corpus candidates", "corpus review")  # fmt: skip


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    project = project_that_learns(tmp_path, tiny_backbone)
    shutil.copytree(ROOT / "docs/examples", project.folder / "docs/examples")
    return project


@pytest.fixture
def services() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that go on beside the commands after them."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.terminate()
        process.wait(60)


def test_every_command_of_the_guide_does_what_the_guide_says(project, services):
    for command, shown in commands(blocks(GUIDE)):
        if command.endswith("&"):
            services.append(started(command, project.folder))
            continue
        refused = any(line.startswith("error") for line in shown)
        same = any(same in command for same in SAME_EVERYWHERE)
        assert shown or not same, f"the guide does not show what {command} prints"
        output = typed(command, project.folder, shown if same else [], code=int(refused))
    assert (project.folder / "data/07_model_output/theatre/labels/raw.parquet").is_file()
    # The last command asks the service.
    [prediction] = json.loads(output)["predictions"]
    assert prediction["relation"] in {"wrote_play", "directed_play", "none"}


def test_the_guide_names_no_path_of_a_machine():
    assert not re.search(r"(?:^|[\s\"'(])/(?:home|tmp|work|root|Users)/", GUIDE.read_text("utf-8"))
