"""The navigation of the site: the pages of the map in index.md, the results, the API reference.

A page is in the navigation because the map names it. The reference has a section for every room of
the package (``src/tkre/<room>``) and a page for every module, made of the docstrings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

_ROW = re.compile(r"^\| \[[^]]+\]\((?P<page>[\w/-]+\.md)\) \|", re.MULTILINE)
_REFERENCE = "reference/index.md"
_IN_TABLE = re.compile(r"(?<=[|,] )`(?P<room>\w+)`(?=,| \|)")
_PACKAGE = Path("src/tkre")
# What Kedro and Python look for by its name: nothing to be read about.
_NOT_SHOWN = {"__init__", "__main__", "settings"}


def on_config(config: MkDocsConfig, **_: Any) -> None:
    """Writes the navigation."""
    docs = Path(config.docs_dir)
    results = sorted(path.name for path in (docs / "results").glob("*.md"))
    sections = {
        "results/index.md": ("Results", [f"results/{n}" for n in results if n != "index.md"]),
        _REFERENCE: ("Reference", [_of_room(path) for path in _rooms()]),
    }
    config.nav = [{"Home": "index.md"}]
    for page in _ROW.findall((docs / "index.md").read_text(encoding="utf-8")):
        title, more = sections.get(page, ("", []))
        config.nav.append({title: [page, *more]} if more else page)


def on_files(files: Files, config: MkDocsConfig, **_: Any) -> None:
    """Adds the pages of the reference."""
    for room in _rooms():
        for module in _modules(room):
            content = f"::: {_name(module)}\n"
            files.append(File.generated(config, _page(module), content=content))


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Makes the rooms in the table of the reference links: their pages are not among the files."""
    if page.file.src_uri != _REFERENCE:
        return markdown
    pages = {path.stem: _page(_modules(path)[0]) for path in _rooms()}
    if missing := pages.keys() - {found["room"] for found in _IN_TABLE.finditer(markdown)}:
        raise PluginError(f"{_REFERENCE} does not name {', '.join(sorted(missing))}")

    def link(found: re.Match[str]) -> str:
        return f"[{found[0]}]({pages[found['room']].removeprefix('reference/')})"

    return _IN_TABLE.sub(link, markdown)


def _of_room(room: Path) -> dict[str, Any]:
    """A room in the navigation: its page; of a package, a section with one for each module."""
    pages = [{_name(module).removeprefix(f"tkre.{room.stem}."): _page(module)}
             for module in _modules(room)]  # fmt: skip
    return {room.stem: pages} if room.is_dir() else {room.stem: _page(room)}


def _rooms() -> list[Path]:
    """The modules and packages directly under the package."""
    found = [*_PACKAGE.glob("*.py"), *(init.parent for init in _PACKAGE.glob("*/__init__.py"))]
    return sorted(path for path in found if path.stem not in _NOT_SHOWN)


def _modules(room: Path) -> list[Path]:
    return sorted(room.rglob("*.py")) if room.is_dir() else [room]


def _name(module: Path) -> str:
    parts = module.relative_to(_PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _page(module: Path) -> str:
    path = module.relative_to(_PACKAGE).with_suffix(".md")
    # "index" is what makes a page that of its folder.
    return f"reference/{path.with_stem('index') if path.stem == '__init__' else path}"
