"""Paths of the machine that tests run on, which nothing that is handed on may hold."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.conftest import ROOT

PLACES = {str(ROOT), sys.prefix, tempfile.gettempdir(), str(Path.home())} - {"/"}


def machine_paths(folder: Path) -> list[str]:
    """The files in a folder that name a place of this machine, each with the first of them."""
    found = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = file.read_bytes()
        if named := [place for place in sorted(PLACES) if f"{place}/".encode() in content]:
            found.append(f"{file.name}: {named[0]}")
    return found
