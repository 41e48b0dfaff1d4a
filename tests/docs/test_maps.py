"""Pages that list other pages or rooms list all of them."""

from __future__ import annotations

import re

from tests.conftest import ROOT

DOCS = ROOT / "docs"
ROW = re.compile(
    r"^\| \[(?P<name>[^]]+)\]\((?P<page>[\w/-]+\.md)\) \| (?P<about>.+) \|$", re.MULTILINE
)
WITHOUT_A_PAGE = {"__init__", "__main__", "settings"}  # as docs/site_tools/navigation.py has it


def test_every_page_of_results_is_listed():
    listed = [row["page"] for row in ROW.finditer((DOCS / "results/index.md").read_text("utf-8"))]
    pages = sorted(path.name for path in (DOCS / "results").glob("*.md"))
    assert sorted([*listed, "index.md"]) == pages


def test_the_map_lists_every_page_by_its_title():
    rows = list(ROW.finditer((DOCS / "index.md").read_text("utf-8")))
    top = {path.name for path in DOCS.glob("*.md")} - {"index.md"}
    assert top <= {row["page"] for row in rows}
    assert not [row["name"] for row in rows if row["name"].endswith(".md")]


def test_the_reference_lists_every_room_of_the_package():
    package = ROOT / "src/tkre"
    rooms = {path.stem for path in package.glob("*.py")} - WITHOUT_A_PAGE
    rooms |= {path.parent.name for path in package.glob("*/__init__.py")}
    table = re.findall(
        r"^\| .*`.*\|$", (DOCS / "reference/index.md").read_text("utf-8"), re.MULTILINE
    )
    listed = re.findall(r"`(\w+)`", "\n".join(table))
    assert sorted(listed) == sorted(rooms)
