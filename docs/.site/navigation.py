"""The navigation of the site: the pages of the map in index.md, the results, the API reference.

A page is in the navigation because the map names it. The reference has a section for every room of
the package (``src/tkre/<room>``) and a page for every module, made of the docstrings.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

_ROW = re.compile(r"^\| \[[^]]+\]\((?P<page>[\w/-]+\.md)\) \|", re.MULTILINE)
_PACKAGE = Path("src/tkre")
# What Kedro and Python look for by its name: nothing to be read about.
_NOT_SHOWN = {"__init__", "__main__", "settings"}


def on_config(config: MkDocsConfig, **_: Any) -> None:
    """Writes the navigation."""
    docs = Path(config.docs_dir)
    results = sorted(path.name for path in (docs / "results").glob("*.md"))
    sections = {
        "results/index.md": ("Results", [f"results/{n}" for n in results if n != "index.md"]),
        "reference/index.md": ("Reference", [_of_room(path) for path in _rooms()]),
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
