"""Relations with names of any kind, from their renaming to a report and labels."""

from __future__ import annotations

import json

import pytest

from tests.smoke_project import Project, newest

pytestmark = pytest.mark.slow
# They sort as the names before them do: the K-shot sets, and so the recorded answers, stay.
NAMES = {
    "acquired_by": "NA",
    "born_in": "born, in: 1",
    "lives_in": "its <b>home</b>",
    "no_relation": "no",
    "works_for": "~ part / of [w]",
}


def test_any_text_is_the_name_of_a_relation(tiny_backbone, tmp_path):
    project = Project(tmp_path, tiny_backbone)
    grid = {"corpora": ["newsroom"], "variants": ["typ_marker", "tkre_plus"]}
    project.write("conf/smoke/experiments.yml", {"one": grid})
    for old, new in NAMES.items():
        done = project.kedro("corpus", "rename", "newsroom", old, new)
        assert done.returncode == 0 and "note:" not in done.stdout, done.stdout
    checked = project.kedro("corpus", "validate", "newsroom")
    assert checked.returncode == 0 and " stale" not in checked.stdout, checked.stdout
    assert all(name in checked.stdout for name in NAMES.values())
    done = project.kedro("run", "--pipelines", "one", "--runner-params", "workers=1")
    assert done.returncode == 0, done.stdout
    page = newest(project, "08_reporting/one/report.html").read_text("utf-8")
    assert "its &lt;b&gt;home&lt;/b&gt;" in page and "<b>home</b>" not in page
    again = project.kedro("run", "--pipelines", "one", "--runner-params", "workers=1")
    assert again.returncode == 0 and "were up to date" in again.stdout, again.stdout
    (tmp_path / "new.txt").write_text("<head>Ada</head> lives in <tail>London</tail>.\n")
    done = project.kedro("label", "new.txt", "labels.jsonl")
    assert done.returncode == 0 and "of the last run" in done.stdout, done.stdout
    [row] = map(json.loads, (tmp_path / "labels.jsonl").read_text().splitlines())
    assert all(f"p.{name}" in row for name in NAMES.values())
