"""The code blocks of the documentation."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<code>.*?)^ *```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Its file, under the project's root.
        language: As it says.
        title: The file that it is, where it says so.
        code: What it holds.
    """

    page: str
    language: str
    title: str | None
    code: str


def blocks(page: Path, heading: str = "") -> list[Block]:
    """The blocks of a page, or of its section under a heading, in order."""
    text = page.read_text(encoding="utf-8")
    if heading:
        text = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
        assert text, f"{page} has no section {heading}"
    return [
        Block(
            str(page.relative_to(ROOT)),
            found["language"],
            found["title"],
            textwrap.dedent(found["code"]),
        )
        for found in _BLOCK.finditer(text)
    ]
