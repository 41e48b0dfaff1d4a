"""Tables and files of whole runs of the demo: with tiny models, and (slow) as it is."""

from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from tests.parity.pins import check, needs
from tests.smoke_project import Project
from tkre.modeling.runtime import use_bf16

KIND = "bf16" if use_bf16("auto") else "fp32"
VERSION = r"\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d\.\d+Z"
NEAR = 1e-4


def table(project, name):
    """The only version of a table, without the columns that tell how long things took."""
    [path] = (project.folder / "data/08_reporting/demo" / name).glob(f"*/{name}")
    frame = pd.read_csv(path)
    return frame.drop(columns=[name for name in frame if "seconds" in name])


def lineages(project):
    """The stages of every classifier of the run, and the digests of what they learnt from."""
    steps = {}
    for path in (project.folder / "data/07_model_output").glob("**/lineage.json/*/lineage.json"):
        lineage = json.loads(path.read_text(encoding="utf-8"))
        steps[path.parts[-4]] = [[step["stage"], step["data"]] for step in lineage["steps"]]
    return steps


@pytest.mark.e2e
def test_files_of_a_run(demo):
    paths = {re.sub(VERSION, "VERSION", path) for path in demo.first_outputs}
    nodes = {path for path in paths if path.startswith("08_reporting/ledger/")}
    check("files", sorted(paths - nodes))
    check("nodes", sorted(path.rpartition("/")[2].removesuffix(".json") for path in nodes))


@pytest.mark.e2e
def test_what_a_run_learnt_from(demo):
    check("lineages", lineages(demo))


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["cells.csv", "summary.csv"])
def test_tables_of_a_run(demo, name):
    needs(f"{KIND} {name}")
    check(f"{KIND} {name}", table(demo, name), rel=NEAR)


@pytest.mark.slow
def test_tables_of_the_demo(tiny_backbone, tmp_path):
    """As ``kedro run`` gives them; some minutes."""
    needs(f"{KIND} demo cells.csv")
    project = Project(tmp_path, tiny_backbone)
    result = project.kedro("run", env="base")
    assert result.returncode == 0, result.stdout
    for name in ("cells.csv", "summary.csv"):
        check(f"{KIND} demo {name}", table(project, name), rel=NEAR)
