"""A page from the disk in a browser: on a desk and on a phone, in the light and in the dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.contents import HOSTILE, content
from tkre.report.page import report_page

pytest.importorskip("playwright", reason="needs the extra `dev`")
from playwright.sync_api import Browser, Page

from tests.report.browser import SCREENS, Opened, chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """A page of two places, long names and hostile text."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    found = content(corpora=("a_corpus_of_a_rather_long_name",), shots=(4, 8), hostile=HOSTILE)
    path.write_text(report_page(found), encoding="utf-8")
    return path


@pytest.fixture(params=SCREENS)
def opened(request, browser: Browser, file: Path):
    width, height = SCREENS[request.param]
    colours = request.param.split()[1]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=colours)
    context.set_offline(True)
    yield Opened(context.new_page(), file)
    context.close()


def luminance(page: Page, of: str) -> float:
    """How light the ground of the page, or its text, is: 0 to 255."""
    colour = page.evaluate(f"getComputedStyle(document.body).{of}")
    return sum(int(part) for part in colour.strip("rgb()").split(",")) / 3


def test_it_needs_nothing_but_itself_and_nothing_runs(opened, file):
    assert opened.requests == [file.as_uri()]
    assert opened.messages == []
    assert opened.page.evaluate("document.querySelectorAll('script, img').length") == 0


def test_it_is_no_wider_than_the_screen(opened):
    open_everything(opened.page)
    widths = opened.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert widths[0] <= widths[1]


def test_light_is_light_and_dark_is_dark(opened, request):
    ground, text = (luminance(opened.page, of) for of in ("backgroundColor", "color"))
    dark = "dark" in request.node.callspec.id
    assert (ground < 60 and text > 200) if dark else (ground > 200 and text < 60)


def test_every_plot_is_drawn_and_its_table_opens(opened):
    page = opened.page
    figures = page.locator("figure")
    assert figures.count() >= 8
    for n in range(figures.count()):
        figure = figures.nth(n)
        for drawing in figure.locator("svg[role=img]").all():
            drawing.scroll_into_view_if_needed()
            box = drawing.bounding_box()
            assert box["width"] > 200 and box["height"] > 60
        table = figure.locator("table")
        assert not table.is_visible()
        figure.locator("summary").click()
        assert table.is_visible() and table.locator("tbody tr").count() > 0


def test_letters_of_plots_can_be_read(opened):
    """In a drawing that is scaled down, letters are; fewer than 8 pixels are none."""
    sizes = opened.page.evaluate(
        """[...document.querySelectorAll("figure svg[role=img]")].map(svg =>
             10 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"""
    )
    assert sizes and min(sizes) >= 8


def test_names_of_rows_stay_where_they_are_when_a_table_is_scrolled(opened):
    page = opened.page
    moved = page.evaluate(
        """() => {
             const boxes = [...document.querySelectorAll(".scroll")].filter(
               box => box.querySelector("tbody th") && box.scrollWidth > box.clientWidth + 20);
             return boxes.map(box => {
               const name = box.querySelector("tbody th");
               const before = name.getBoundingClientRect().left;
               box.scrollLeft = 20;
               return [before, name.getBoundingClientRect().left];
             });
           }"""
    )
    assert all(before == after for before, after in moved)
    if page.viewport_size["width"] < 400:
        assert moved


def test_the_keyboard_skips_to_the_content(opened):
    page = opened.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_sentence_is_copied_without_the_names_of_its_mentions(opened):
    open_everything(opened.page)
    shown, copied = opened.page.evaluate(
        """() => {
             const sentence = document.querySelector("mark.head").parentElement;
             getSelection().selectAllChildren(sentence);
             return [sentence.textContent, getSelection().toString()];
           }"""
    )
    assert " head" in shown and shown.replace(" head", "").replace(" tail", "") == copied


def test_paper_is_white_with_what_was_folded(browser, file):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(file.as_uri())
    page.emulate_media(media="print")
    assert luminance(page, "backgroundColor") == 255
    assert not page.locator("nav").is_visible()
    folded = page.locator("details:not(.data):not([open]) table").first
    assert folded.is_visible()
    context.close()


def open_everything(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
