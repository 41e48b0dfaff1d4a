"""The site of docs/ builds without a warning, and its pages load nothing from other hosts."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT

DOCS = ROOT / "docs"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
NEEDED = ("mkdocs", "material", "mkdocstrings", "latex2mathml")
MAIN = [
    "index.html", "method.html", "running.html", "extending.html", "results/index.html",
    "reference/index.html", "reference/modeling/losses.html",
]  # fmt: skip
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as docs/index.md says."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        pytest.skip(f"{', '.join(missing)} not installed (extra docs)")
    target = tmp_path_factory.mktemp("site")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "-f",
        ".mkdocs.yml",
        "-d",
        target,
    ]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return target


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_page_of_the_docs_is_in_the_navigation(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    linked = set(re.findall(r'href="([\w/-]+\.html)"', home)) | {"index.html"}
    top = {str(path.relative_to(DOCS).with_suffix(".html")) for path in DOCS.glob("*.md")}
    assert top <= linked, f"the map in docs/index.md lacks {top - linked}"
    results = (site / "results/index.html").read_text(encoding="utf-8")
    assert all(f'href="{path.stem}.html"' in results for path in (DOCS / "results").glob("*.md"))


def test_the_reference_has_a_page_for_every_module(site):
    source = ROOT / "src/tkre"
    for path in source.rglob("*.py"):
        module = path.relative_to(source).with_suffix("")
        if module.name in {"__main__", "settings"} or str(module) == "__init__":
            continue
        page = module.with_name("index") if module.name == "__init__" else module
        assert (site / f"reference/{page}.html").is_file(), module
    losses = (site / "reference/modeling/losses.html").read_text(encoding="utf-8")
    assert "tkre.modeling.losses.SpanContrast" in losses


def test_the_reference_links_the_rooms_of_its_table(site):
    index = (site / "reference/index.html").read_text(encoding="utf-8")
    rooms = {"modeling": "modeling/index", "pipeline_registry": "pipeline_registry"}
    for room, page in rooms.items():
        assert f'<a href="{page}.html"><code>{room}</code></a>' in index


class Needed(HTMLParser):
    """What a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in {"script", "img", "iframe", "source", "audio", "video"}:
            self.urls.append(found.get("src") or "")
        if tag == "link" and found.get("rel") not in {"canonical", "next", "prev"}:
            self.urls.append(found.get("href") or "")


def test_no_page_names_another_host_to_fetch_from(site):
    for page in pages(site):
        parser = Needed()
        parser.feed(page.read_text(encoding="utf-8"))
        assert parser.urls
        assert not [url for url in parser.urls if re.match(r"(https?:)?//", url)], page


def test_equations_are_mathml(site):
    method = (site / "method.html").read_text(encoding="utf-8")
    written = re.findall(r"^\$\$.*?\$\$$", (DOCS / "method.md").read_text("utf-8"), re.MULTILINE)
    displayed = re.findall(r'<div class="equation"><math [^>]*display="block">', method)
    assert len(displayed) == len(written) > 15
    for page in pages(site):
        text = page.read_text(encoding="utf-8")
        assert 'class="arithmatex"' not in text, page
    assert "$$" not in method


@pytest.fixture(scope="module")
def address(site) -> Iterator[str]:
    """Where the site is served on this machine."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser():
    """A browser without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine")
    switches = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
    ]  # fmt: skip
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=switches)
        yield chromium
        chromium.close()


@pytest.fixture(params=SIZES)
def page(browser, address, request):
    """A page of a screen's size. Its console stays empty; it requests nothing from elsewhere."""
    width, height = SIZES[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    errors: list[str] = []
    page.on("console", lambda m: m.type in {"error", "warning"} and errors.append(m.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda sent: sent.url.startswith((address, "data:", "blob:", "file:"))
            or errors.append(sent.url))  # fmt: skip
    yield page
    context.close()
    assert not errors


@pytest.mark.parametrize("name", MAIN)
def test_pages_open_and_fit_the_screen(page, address, name):
    page.goto(address + name, wait_until="networkidle")
    assert page.locator("h1").first.is_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], "the page scrolls sideways"


def test_tables_of_scores_fit_a_screen(page, address):
    page.goto(f"{address}results/semeval.html", wait_until="networkidle")
    boxes = page.evaluate(
        "[...document.querySelectorAll('.md-typeset__scrollwrap')]"
        ".map(box => [box.scrollWidth, box.clientWidth, getComputedStyle(box).overflowX])"
    )
    assert boxes and all(scrolls == "auto" for *_, scrolls in boxes)
    if page.viewport_size["width"] == SIZES["desktop"][0]:
        assert all(inside <= box for inside, box, _ in boxes)


def test_the_graph_is_a_click_away(page, address):
    page.goto(f"{address}graph.html", wait_until="networkidle")
    page.get_by_role("link", name="site/graph").click()
    page.locator(".pipeline-node").first.wait_for(timeout=60_000)
    assert page.url.startswith(f"{address}graph/index.html")


def test_equations_are_drawn(page, address):
    page.goto(address + "method.html", wait_until="networkidle")
    boxes = page.evaluate(
        "[...document.querySelectorAll('math[display=block]')]"
        ".map(m => m.getBoundingClientRect()).map(r => [r.width, r.height])"
    )
    assert len(boxes) > 5 and all(width > 50 and height > 15 for width, height in boxes)
    # A fraction is drawn as one: MathML, not its text in a row.
    fraction = page.locator("mfrac").first.bounding_box()
    parts = [
        page.locator("mfrac").first.locator(f"> :nth-child({n})").bounding_box() for n in (1, 2)
    ]
    assert parts[0]["y"] < parts[1]["y"] and fraction["height"] > parts[0]["height"]


def test_the_picture_of_the_pipelines_is_there(page, address):
    page.goto(address + "index.html", wait_until="networkidle")
    shown = page.evaluate("document.querySelector('img[src$=\"pipelines.svg\"]').naturalWidth")
    assert shown > 0


def test_the_dark_mode_is_a_click_away(page, address):
    page.goto(address + "index.html", wait_until="networkidle")
    scheme = "document.body.getAttribute('data-md-color-scheme')"
    before = page.evaluate(scheme)
    page.locator("label[title=Dark]:visible, label[title=Light]:visible").first.click()
    assert {before, page.evaluate(scheme)} == {"default", "slate"}


def test_search_finds_a_page(page, address):
    page.goto(f"{address}index.html?q=margin+contrast", wait_until="load")
    # The index is built by the page: that takes a while where other tests run beside this one.
    page.locator(".md-search-result__link").first.wait_for(timeout=60_000)
    assert page.locator(".md-search-result__link[href*='extending']").count()


def test_search_works_from_the_disk(page, site):
    """Without a server there are no workers, and a page may not read files."""
    page.goto(f"{site.as_uri()}/reference/modeling/losses.html?q=margin+contrast")
    page.locator(".md-search-result__link").first.wait_for(timeout=60_000)
    assert page.locator(".md-search-result__link[href*='extending']").count()
