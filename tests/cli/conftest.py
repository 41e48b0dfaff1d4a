"""Commands of the project in this process, in a project of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner

from tests.smoke_project import Project
from tkre.cli import cli
from tkre.project import config_loader

Kedro = Callable[..., str]


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    return Project(tmp_path, tiny_backbone)


@pytest.fixture
def kedro(project, monkeypatch) -> Kedro:
    """``kedro(*arguments, code=0)``: what a command prints, on both streams."""
    monkeypatch.setattr(config_loader, "_of_session", None)
    monkeypatch.setattr(config_loader, "_config", None)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str, code: int = 0) -> str:
        with project.entered():
            result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.output

    return run
