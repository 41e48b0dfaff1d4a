"""Commands in a project whose folders this process may not write to."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.smoke_project import Project

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="drops a capability of Linux")
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


def without_rights() -> None:
    """Root is bound by modes of files, too, once the capability that lifts them is dropped."""
    if os.geteuid() == 0:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)


@pytest.fixture
def closed(tiny_backbone: Path, tmp_path: Path) -> Iterator[Project]:
    """A project of folders that nobody may write to."""
    project = Project(tmp_path, tiny_backbone)
    folders = [tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    tried = subprocess.run(["touch", tmp_path / "file"], preexec_fn=without_rights, check=False,
                           stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        if tried.returncode == 0:
            pytest.skip("this process may write anywhere, and cannot give that up")
        yield project
    finally:
        for folder in folders:
            folder.chmod(0o755)


def test_a_run_names_the_folder_and_the_way_out(closed):
    done = closed.kedro("run", preexec_fn=without_rights)
    assert done.returncode == 1 and "Traceback" not in done.stdout, done.stdout
    place = closed.folder / "data"
    said = " ".join(done.stdout.split())
    assert f"Error: {place}" in said and "is not writable: mode 0555, owner" in said
    assert f"its owner can change that: chmod -R u+w {place}" in said
    assert "responses" not in said  # nothing was done before
    assert closed.outputs() == set()


def test_a_corpus_is_validated_without_writing(closed):
    done = closed.kedro("corpus", "validate", "newsroom", preexec_fn=without_rights)
    assert done.returncode == 0 and "newsroom: 0 errors" in done.stdout, done.stdout
    assert "Traceback" not in done.stdout and "Errno" not in done.stdout
