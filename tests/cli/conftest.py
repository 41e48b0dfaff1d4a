"""Commands of the project in this process, in a project of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from click.testing import CliRunner

from tests.smoke_project import Project
from tkre.cli import cli
from tkre.project.config_loader import ConfigLoader

Kedro = Callable[..., str]
EXPERIMENTS = "conf/base/experiments.yml"


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    """A project with one experiment, whose pipelines are made quickly."""
    project = Project(tmp_path, tiny_backbone)
    experiments = yaml.safe_load((tmp_path / EXPERIMENTS).read_text(encoding="utf-8"))
    project.write(EXPERIMENTS, {"demo": experiments["demo"]})
    return project


@pytest.fixture
def kedro(project, monkeypatch) -> Kedro:
    """``kedro(*arguments, code=0)``: output of a command on both streams."""
    monkeypatch.setattr(ConfigLoader, "of_session", None)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, code: int = 0) -> str:
        with project.entered():
            result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output

    return run
