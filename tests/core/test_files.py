from __future__ import annotations

import logging
import os
import stat
from logging.handlers import RotatingFileHandler

import pytest

from tkre.core.files import follow_umask, require_readable


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o002, 0o664)])
def test_files_of_libraries_get_the_mode_of_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        (tmp_path / "lineage.json").write_text("{}")
        (tmp_path / "model.safetensors").touch(0o600)
        follow_umask(tmp_path, "lineage.json")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.safetensors").stat().st_mode) == mode


def test_what_cannot_be_read_is_named_with_mode_and_owner(tmp_path, monkeypatch):
    """Root may read anything, so the answer of the system is played."""
    folder, weights = tmp_path / "classifier", tmp_path / "classifier" / "model.safetensors"
    folder.mkdir()
    weights.touch(0o600)
    require_readable(folder)
    require_readable(folder / "missing")  # whoever reads it says so
    closed = {weights}
    monkeypatch.setattr("os.access", lambda path, mode: path not in closed)
    for path in (folder, weights):
        with pytest.raises(PermissionError, match=r"model\.safetensors is not readable: mode 0600"):
            require_readable(path)
    require_readable(folder / "missing")
    closed |= {tmp_path}
    with pytest.raises(PermissionError, match=rf"{tmp_path} is not readable: mode 0700, owner"):
        require_readable(weights)


def test_a_log_without_a_place_prints_no_tracebacks(tmp_path, capsys):
    import tkre.settings  # noqa: F401

    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "tkre.log"
    log = RotatingFileHandler(place, maxBytes=9, delay=True)  # as in conf/logging.yml
    log.handle(logging.makeLogRecord({"msg": "a line"}))
    assert capsys.readouterr().err == ""
