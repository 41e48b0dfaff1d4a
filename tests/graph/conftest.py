"""A site of the demo's graph, of a project that has generated its data."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.smoke_project import Project

SHOWN = "__default__,data_generation,knowledge_pretraining,finetuning,reporting,inference,demo"


@pytest.fixture(scope="session")
def project(tiny_backbone, tmp_path_factory) -> Project:
    project = Project(tmp_path_factory.mktemp("graph"), tiny_backbone)
    result = project.kedro("run", "--pipelines", "data_generation")
    assert result.returncode == 0, result.stdout
    return project


@pytest.fixture(scope="session")
def site(project) -> Path:
    built = project.kedro("graph", "build", "--pipelines", SHOWN, "--previews", "newsroom")
    assert built.returncode == 0, built.stdout
    assert "WARNING" not in built.stdout and "python -m http.server" in built.stdout
    return project.folder / "site/graph"
