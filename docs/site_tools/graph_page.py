"""The graph beside the pages: built by ``docs/site_tools/graph.py``, under ``graph/`` of the site.

It takes longer than all pages, so ``mkdocs serve`` leaves it out.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

PAGE, NAMED = "graph.md", "`site/graph`"  # where the page says where the graph is
PREVIEWS = "newsroom,inference"  # corpora that come with the project
_commands: list[str] = []  # that which MkDocs was started with


def on_startup(command: str, **_: Any) -> None:
    """Notes which command it is."""
    _commands[:] = [command]


def _wanted() -> bool:
    return _commands == ["build"]


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    """Makes the folder's name a link; where the pages are read as they are there is nothing."""
    if not _wanted() or page.file.src_uri != PAGE:
        return markdown
    if NAMED not in markdown:
        raise PluginError(f"{PAGE} does not name {NAMED}, which becomes the link to the graph")
    # As HTML: MkDocs refuses links to what it has not written itself.
    return markdown.replace(NAMED, '<a href="graph/index.html"><code>site/graph</code></a>', 1)


def on_post_build(config: MkDocsConfig, **_: Any) -> None:
    """Builds the graph."""
    if not _wanted():
        return
    command = [sys.executable, "docs/site_tools/graph.py", "build"]
    done = subprocess.run(
        [*command, str(Path(config.site_dir) / "graph"), "--previews", PREVIEWS],
        cwd=Path(config.config_file_path).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise PluginError(f"the graph was not built:\n{done.stdout}{done.stderr}")
