"""The pictures of the README and the docs."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tkre.graph import browsing
from tkre.graph.browsing import BrowserError
from tkre.graph.pictures import PICTURES, draw

LARGEST = 300_000  # bytes
PNG = b"\x89PNG\r\n\x1a\n"


def size(file: Path) -> tuple[int, int]:
    content = file.read_bytes()
    assert content.startswith(PNG)
    return struct.unpack(">II", content[16:24])


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_the_committed_ones_are_there_and_small(picture):
    file = ROOT / "docs/images" / f"{picture.name}.png"
    assert 20_000 < file.stat().st_size <= LARGEST
    assert size(file)[1] == picture.size[1]


def test_they_are_taken_of_the_site(site, tmp_path):
    pytest.importorskip("playwright", reason="a browser is steered by playwright (extra `docs`)")
    try:
        browsing._browser()
    except BrowserError as error:
        pytest.skip(str(error))
    files = list(draw(site, tmp_path / "images"))
    assert [file.stem for file in files] == [picture.name for picture in PICTURES]
    for file, picture in zip(files, PICTURES, strict=True):
        width, height = size(file)
        assert 800 < width < picture.size[0] and height == picture.size[1]
        assert file.stat().st_size > 20_000  # an empty page is smaller
