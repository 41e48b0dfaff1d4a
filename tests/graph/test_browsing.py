"""The site in a real browser: it draws, answers clicks, and says nothing of errors."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest

from tests.conftest import ROOT
from tkre.graph import browsing
from tkre.graph.browsing import DRAWN, BrowserError, open_graph
from tkre.graph.pictures import STILL

FOLDED = "newsroom"  # a box of the default experiment
OF_CELL = "newsroom.k8.s13.tkre_plus.scl_encoder"
KINDS = ("modularPipeline", "task", "data")


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

    query = "?pid=data_generation&types=nodes,datasets&expandAllPipelines=true"
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


@pytest.mark.parametrize("turn", [1, -1], ids=["in order", "backwards"])
def test_each_address_of_the_docs_shows_the_same_after_any_other(page, complaints, turn):
    """kedro-viz keeps the pipeline and the filters of the last one in the browser."""
    text = (ROOT / "docs/graph.md").read_text(encoding="utf-8")
    views = re.findall(r"^\| .* \| `/(\?[^`]+)`", text, re.MULTILINE)
    assert len(views) == 3
    wanted = dict(zip(views, (FOLDED, "keep_sentences", OF_CELL), strict=True))
    for view in views[::turn]:
        page.goto(urljoin(page.url, view))
        page.locator(DRAWN, has=page.get_by_text(wanted[view], exact=True)).wait_for()
        page.wait_for_timeout(STILL)
        drawn = [page.locator(f"{DRAWN}--{kind}").count() for kind in KINDS]
        if wanted[view] == FOLDED:
            assert drawn == [2, 0, 0], view
        else:
            assert drawn[0] == 0 and min(drawn[1:]) > 0, view
    assert complaints == []


def test_without_a_browser_it_is_said_what_to_install(monkeypatch):
    monkeypatch.delenv("TKRE_BROWSER", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BrowserError, match="set TKRE_BROWSER"):
        browsing._browser()
