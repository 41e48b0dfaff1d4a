from __future__ import annotations

import logging
import os
import stat
from logging.handlers import RotatingFileHandler

import pytest

from tkre.core.files import (
    EncodingError,
    decoded,
    follow_umask,
    replacing,
    require_readable,
    require_writable_places,
    text_lines,
    write_whole,
)


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


def test_a_place_that_cannot_be_written_is_named_by_the_folder_that_is_there(tmp_path, monkeypatch):
    place = tmp_path / "a" / "b" / "scores.csv"
    require_writable_places([place, tmp_path / "a" / "c.csv"])
    monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
    message = rf"{tmp_path} is not writable: mode 0700, .* chmod -R u\+w {tmp_path}$"
    with pytest.raises(PermissionError, match=message):
        require_writable_places([place, tmp_path / "a" / "c.csv"])
    (tmp_path / "a").mkdir()
    require_writable_places([place, tmp_path / "a" / "c.csv"])


def test_a_log_without_a_place_prints_no_tracebacks(tmp_path, capsys):
    import tkre.settings  # noqa: F401

    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / "tkre.log"
    log = RotatingFileHandler(place, maxBytes=9, delay=True)  # as in conf/logging.yml
    log.handle(logging.makeLogRecord({"msg": "a line"}))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["a\rb\n", "\ufeffa\rb\n", ""])
def test_a_text_has_no_mark_and_keeps_its_line_ends(tmp_path, text):
    file = tmp_path / "a.txt"
    file.write_bytes(text.encode())
    assert decoded(text.encode(), file) == text.removeprefix("\ufeff") == "".join(text_lines(file))


def test_another_encoding_is_refused_with_file_and_line(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"a\nb\xff")
    message = r"a\.txt, line 2: not UTF-8 \(invalid start byte\); save it as UTF-8"
    with pytest.raises(EncodingError, match=message):
        decoded(file.read_bytes(), file)
    with pytest.raises(EncodingError, match=message):
        list(text_lines(file))
    with pytest.raises(EncodingError, match="line 8"):
        decoded(b"\xff", file, 8)


@pytest.mark.parametrize(
    ("content", "way_out"),
    [
        (b"PK\x03\x04\x14\x00\x08", "unpack it, or save its sheet as CSV"),
        (b"\x1f\x8b\x08\x00", "packed by gzip: unpack it"),
        (b"PAR1\x15\x04", "a Parquet file: write its rows as"),
        (b"SQLite format 3\x00\x10", "a database: write its rows as"),
    ],
)
def test_rows_in_a_file_that_is_no_text(tmp_path, content, way_out):
    (file := tmp_path / "a.txt").write_bytes(content)
    for read in (lambda: decoded(content, file, utf16=True), lambda: list(text_lines(file))):
        with pytest.raises(EncodingError, match=rf"a\.txt, line 1: .*{way_out}") as refused:
            read()
        assert "UTF-8" not in str(refused.value)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_is_read_where_it_is_asked_for(encoding):
    content = "\ufeffa".encode(encoding)
    assert decoded(content, "a.txt", utf16=True) == "a"
    with pytest.raises(EncodingError, match=r"a.txt, line 1: not UTF-8"):
        decoded(content, "a.txt")


def test_a_file_is_replaced_at_once_or_not_at_all(tmp_path):
    file = tmp_path / "a.txt"
    write_whole(file, "one\n")
    assert file.read_bytes() == b"one\n"
    with pytest.raises(RuntimeError), replacing(file) as unfinished:
        unfinished.write_text("tw")
        assert file.read_text() == "one\n"
        raise RuntimeError
    with replacing(file) as unfinished:
        unfinished.write_text("two")
        unfinished.unlink()  # nothing is to be written after all
    assert file.read_text() == "one\n" and list(tmp_path.iterdir()) == [file]
