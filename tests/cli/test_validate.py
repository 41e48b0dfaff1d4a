"""``kedro corpus validate``, as it is typed."""

from __future__ import annotations

import pytest

from tests.smoke_project import Project


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    return Project(tmp_path, tiny_backbone)


def test_the_demo_corpus(project):
    result = project.kedro("corpus", "validate", "newsroom")
    assert result.returncode == 0, result.stdout
    rows = [line.replace("\u2502", " ").split() for line in result.stdout.splitlines()]
    counts = {r[0]: r[1:4] for r in rows if len(r) > 3}
    assert counts["born_in"] == ["16", "8", "30"] and counts["all"] == ["176", "88", "330"]
    assert "newsroom: 0 errors, 0 warnings, 1 note" in result.stdout
    assert project.outputs() == set()


def test_errors_end_it_with_1_and_k_is_what_one_means_to_run(project):
    project.edit("data/01_raw/newsroom/train.jsonl", "</tail>", "")
    result = project.kedro("corpus", "validate", "newsroom")
    assert result.returncode == 1
    assert "error    newsroom/train.jsonl, line 1: tag </tail> is missing" in result.stdout
    assert "newsroom: 1 error, " in result.stdout and "Next:" not in result.stdout


def test_more_shots_than_there_are_rows(project):
    result = project.kedro("corpus", "validate", "newsroom", "--shots", "32")
    assert result.returncode == 0
    assert "fewer than 32 rows in train" in result.stdout
