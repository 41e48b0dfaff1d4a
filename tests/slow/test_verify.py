"""``kedro results verify``: cells made again from their manifest, with real processes."""

from __future__ import annotations

import pytest

from tests.generation.chat_server import ChatServer
from tests.live.runs import EXPERIMENT, project_with, stored
from tests.live.test_kills import made_up
from tests.smoke_project import Project

CELL = "newsroom.k8.s13.typ_marker"
VERIFY = ("results", "verify", "demo", "--cell", CELL)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tiny_backbone, tmp_path_factory) -> Project:
    """One cell, run once."""
    project = Project(tmp_path_factory.mktemp("project"), tiny_backbone)
    project.edit("conf/base/experiments.yml", "variants: [", "variants: [typ_marker] # [")
    result = project.kedro("run")
    assert result.returncode == 0, result.stdout
    return project


def test_a_cell_is_the_same_and_leaves_no_trace(project):
    before = project.outputs()
    result = project.kedro(*VERIFY)
    assert result.returncode == 0 and f"{CELL}: same\n" in result.stdout, result.stdout
    assert project.outputs() == before


def test_a_changed_parameter_is_named_and_its_effect_measured(project):
    changed = "variants.typ_marker.finetuning.optimisation.head_learning_rate=0.05"
    result = project.kedro(*VERIFY, "--params", changed)
    assert result.returncode == 1 and f"{CELL}: differs\n" in result.stdout, result.stdout
    assert "variants.typ_marker.finetuning.optimisation.head_learning_rate: " in result.stdout
    assert " then, 0.05 now" in result.stdout
    assert "weights: " in result.stdout and "of 330 answers differ" in result.stdout


def test_what_cannot_be_verified_is_said(project):
    unknown = project.kedro("results", "verify", "demo", "--cell", "newsroom.k8.s13.typmarker")
    assert unknown.returncode == 1 and f"did you mean '{CELL}'?" in unknown.stdout


def test_what_a_changed_question_is_answered_is_kept(tiny_backbone, tmp_path):
    with ChatServer(made_up) as server:
        live = {"backend": "openai", "model": "m", "base_url": server.url, "retries": 0}
        project = project_with(tmp_path / "project", tiny_backbone, live)
        project.write("conf/smoke/experiments.yml", {"demo": EXPERIMENT | {"variants": ["tkre"]}})
        result = project.kedro("run")
        assert result.returncode == 0, result.stdout
        before, asked = len(stored(project)), len(server.received)
        project.edit("conf/base/prompts/synthesis.txt", "Vary topic", "Vary the topic")
        result = project.kedro("results", "verify", "demo", "--cell", "newsroom.k8.s13.tkre")
        assert result.returncode == 1 and "differs" in result.stdout, result.stdout
        assert len(stored(project)) - before == len(server.received) - asked > 0
