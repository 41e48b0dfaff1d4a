"""What is in the repository, and what may never be."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT

# Written for this project: whole corpora, and of the corpora of others what was written about them.
OURS = {"newsroom", "inference"}
OURS_OF_OTHERS = {"relations.yml", "recordings.jsonl", "annotations.jsonl", "classifications.jsonl",
                  "unlabelled_ids.txt", "answers.lock.json"}  # fmt: skip


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    git = ["git", "-C", str(ROOT), "ls-files", "-z"]
    result = subprocess.run(git, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("not a checkout")
    return [Path(name) for name in result.stdout.split("\0") if name]


def test_of_the_corpora_of_others_only_what_we_wrote(committed):
    raw = [path for path in committed if path.parts[:2] == ("data", "01_raw")]
    assert {path.parts[2] for path in raw} >= OURS
    for path in raw:
        assert path.parts[2] in OURS or path.name in OURS_OF_OTHERS, path


def test_of_the_other_data_folders_only_their_names(committed):
    data = [p for p in committed if p.parts[0] == "data" and p.parts[1] != "01_raw"]
    assert {path.name for path in data} == {".gitkeep"}


def test_nothing_that_runs_code_when_it_is_read(committed):
    assert not [p for p in committed if p.suffix in {".pkl", ".pickle", ".pt", ".bin", ".joblib"}]


def test_notebooks_are_committed_without_outputs(committed):
    notebooks = [path for path in committed if path.suffix == ".ipynb"]
    assert notebooks
    for path in notebooks:
        for cell in json.loads((ROOT / path).read_text(encoding="utf-8"))["cells"]:
            assert not cell.get("outputs") and cell.get("execution_count") is None, path


def test_telemetry_is_refused_for_all_who_clone(committed):
    assert Path(".telemetry") in committed
    assert yaml.safe_load((ROOT / ".telemetry").read_text(encoding="utf-8")) == {"consent": False}


def test_no_credentials(committed):
    files = [path for path in committed if "credentials" in path.name]
    assert files == [Path("conf/base/credentials.yml")]
    [group] = yaml.safe_load((ROOT / files[0]).read_text(encoding="utf-8")).values()
    # Names of environment variables, never a value.
    assert all(re.fullmatch(r"\$\{oc\.env:[A-Z_]+,null\}", value) for value in group.values())
    assert [p for p in committed if p.parts[:2] == ("conf", "local")] == [
        Path("conf/local/.gitkeep")
    ]


def test_packages_of_ci_have_digests_and_suit_the_project():
    lines = (ROOT / ".ci/requirements.txt").read_text(encoding="utf-8").splitlines()[1:]
    pinned = {}
    for line in lines:
        found = re.fullmatch(r"([\w.-]+)==(\S+) --hash=sha256:[0-9a-f]{64}", line)
        assert found, line
        pinned[canonicalize_name(found[1])] = found[2]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for text in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        wanted = Requirement(text)
        if wanted.name != "torch":  # its build for CPUs is another file on each index
            version = pinned.get(canonicalize_name(wanted.name))
            assert version and wanted.specifier.contains(version), f"{text}: .ci/lock"
