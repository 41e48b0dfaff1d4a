from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import pytest

from tkre.core import provenance as module
from tkre.core.provenance import Environment, environment, versions


@pytest.fixture(autouse=True)
def fresh():
    module._revision.cache_clear()
    yield
    module._revision.cache_clear()


def test_versions_are_those_that_are_installed():
    assert versions(["numpy", "not-a-package"]) == {"numpy": version("numpy")}


def test_an_environment_is_of_now_and_can_be_saved():
    found = environment("cpu", 1, "bf16")
    age = datetime.now(UTC) - datetime.fromisoformat(found.finished)
    assert 0 <= age.total_seconds() < 60
    assert (found.device, found.threads, found.precision) == ("cpu", 1, "bf16")
    assert found.libraries["pandas"] == version("pandas") and found.processor
    assert Environment.model_validate_json(found.model_dump_json()) == found


def git(folder, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_revision_is_that_of_the_repository_and_changes_are_seen(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert module._revision(tmp_path) == (head, False)
    (tmp_path / "file").write_text("two")
    assert module._revision(tmp_path) == (head, False)  # what runs is what was there at first
    module._revision.cache_clear()
    assert module._revision(tmp_path) == (head, True)


def test_without_a_repository_or_git_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert module._revision(tmp_path) == (None, None)
    module._revision.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._revision(tmp_path) == (None, None)


def test_no_library_is_imported_for_it():
    code = (
        "import sys; from tkre.core.provenance import environment; environment(); "
        "found = {'torch', 'pandas', 'transformers'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
