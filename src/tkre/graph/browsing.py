"""The site in a headless browser, as a reader sees it."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
# A browser that asks nobody, in a container without a sandbox or a screen.
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DRAWN = ".pipeline-node"


class BrowserError(RuntimeError):
    """There is no browser; the message says how to get one."""


@contextmanager
def open_graph(
    folder: Path,
    query: str = "",
    size: tuple[int, int] = (1600, 1000),
    *,
    short: bool = False,
    watch: Callable[[Page], object] | None = None,
) -> Iterator[Page]:
    """A page with the graph drawn, without hints or map, in light colours.

    Args:
        folder: A site of the graph.
        query: Of the address, as kedro-viz takes it: ``?pid=finetuning&types=nodes``.
        size: Of the window.
        short: Names without their namespaces ("Pretty name" in the settings of kedro-viz).
        watch: Is given the page before it is opened, to follow its events.

    Raises:
        BrowserError: There is no browser, or no playwright to steer one.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise BrowserError("a browser is steered by playwright: pip install playwright") from None
    with _served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_browser(), args=list(ARGUMENTS))
        try:
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            if watch is not None:
                watch(page)
            # kedro-viz keeps a user's choices in the browser; any file of the site may set them.
            page.goto(f"{address}/favicon.ico")
            chosen = {
                "theme": "light",
                "showFeatureHints": False,
                "isPrettyName": short,
                "visible": {"graph": True, "sidebar": True, "miniMap": False},
            }
            page.evaluate("chosen => localStorage.setItem('KedroViz', chosen)", json.dumps(chosen))
            page.goto(f"{address}/{query}")
            page.wait_for_selector(DRAWN, timeout=60_000)
            yield page
        finally:
            browser.close()


def _browser() -> str:
    """The path of a browser: ``TKRE_BROWSER``, or one of the usual names."""
    named = os.environ.get("TKRE_BROWSER")
    found = [named] if named else [shutil.which(name) for name in BROWSERS]
    path = next((path for path in found if path), None)
    if path is None:
        raise BrowserError(
            f"there is no browser: install one of {', '.join(BROWSERS)}, or set TKRE_BROWSER to "
            "the path of one"
        )
    return path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing: pages are not worth a line."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address of a web server on this machine that serves a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
