"""The site in a real browser: it draws, answers clicks, and says nothing of errors."""

from __future__ import annotations

import pytest

from tkre.graph import browsing
from tkre.graph.browsing import DRAWN, BrowserError, open_graph


@pytest.fixture(scope="session", autouse=True)
def browser():
    pytest.importorskip("playwright", reason="a browser is steered by playwright (extra `docs`)")
    try:
        return browsing._browser()
    except BrowserError as error:
        pytest.skip(str(error))


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def page(site, complaints):
    """All of data generation, unfolded. What the page asks of other hosts is a complaint, too."""

    def watch(page):
        page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: "127.0.0.1" in r.url or complaints.append(r.url))
        page.on("response", lambda r: r.status < 400 or complaints.append(f"{r.status} {r.url}"))

    query = "?pid=data_generation&expandAllPipelines=true"
    with open_graph(site, query, watch=watch) as page:
        yield page


def test_nodes_are_drawn_without_a_complaint(page, complaints):
    drawn = page.locator(DRAWN).all_text_contents()
    assert {"explain", "synthesise", "keep_sentences", "newsroom.k8.s13.synthetic"} <= set(drawn)
    layers = page.locator(".pipeline-layer-name").all_text_contents()
    assert layers == ["raw", "intermediate", "primary", "feature"]
    page.wait_for_timeout(1000)
    assert complaints == []


def test_a_node_shows_what_it_does(page, complaints):
    page.locator(DRAWN, has_text="keep_explanations").click()
    panel = page.locator(".pipeline-metadata")
    panel.get_by_text("src/tkre/pipelines/data_generation/nodes.py").wait_for()
    panel.get_by_text("Show Code").click()
    code = page.locator(".pipeline-metadata-code")
    code.get_by_text("Adds the valid explanations to the support instances.").wait_for()
    assert complaints == []


@pytest.mark.parametrize(
    ("name", "seen"),
    [("newsroom.k8.s13.synthetic", "newsroom/acquired_by/seed-13/round-0/0"),
     ("newsroom.folder", "The head"), ("newsroom.recordings", "synthesis/newsroom/works_for/")],
)  # fmt: skip
def test_a_dataset_shows_its_preview(page, complaints, name, seen):
    page.locator(DRAWN, has=page.get_by_text(name, exact=True)).click()
    page.locator(".pipeline-metadata").get_by_text(seen).first.wait_for()
    assert complaints == []


def test_without_a_browser_it_is_said_what_to_install(monkeypatch):
    monkeypatch.delenv("TKRE_BROWSER", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrowserError, match="set TKRE_BROWSER"):
        browsing._browser()
