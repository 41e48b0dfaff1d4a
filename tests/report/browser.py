"""A Chromium of the machine, and what a page in it says and asks for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="needs the extra `dev`")
from playwright.sync_api import Browser, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--no-first-run"]  # fmt: skip
SCREENS = {"desk light": (1280, 900), "phone dark": (390, 844)}


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser; a test is skipped where there is none."""
    with sync_playwright() as playwright:
        places = [*map(shutil.which, BROWSERS), playwright.chromium.executable_path]
        found = next((p for p in places if p and Path(p).is_file()), None)
        if found is None:
            pytest.skip("there is no Chromium on this machine")
        started = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield started
        started.close()


class Opened:
    """A page with all that it said and asked for."""

    def __init__(self, page: Page, file: Path) -> None:
        self.page = page
        self.messages: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("dialog", lambda dialog: self.messages.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(file.as_uri())
