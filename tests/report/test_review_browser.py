"""The review page from the disk, worked by its keys, on a desk and on a phone."""

from __future__ import annotations

import json

import pytest

from tests.corpora.test_reviewed import HOSTILE
from tests.report.test_review import annotated, probabilities
from tkre.report.review import review_page, review_rows

pytest.importorskip("playwright", reason="needs the extra `dev`")

from tests.report.browser import SCREENS, Opened, chromium

LONG = "Aluminium" * 12


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def file(tmp_path_factory, schema):
    """Five plain rows, hostile ones, and a word that is wider than a phone."""
    texts = [None] * 5 + [*HOSTILE, f"<head>{LONG}</head> is <tail>here</tail>."]
    given = [annotated(n, "none", sentence=text) for n, text in enumerate(texts)]
    rows = review_rows(given, schema, probabilities(schema, *[{"lives_in": 0.9}] * len(given)))
    path = tmp_path_factory.mktemp("page") / "toy.html"
    path.write_text(review_page(rows, schema, "of the other rows"), encoding="utf-8")
    return path


@pytest.fixture(params=SCREENS)
def opened(request, browser, file):
    width, height = SCREENS[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=request.param.split()[1],
        accept_downloads=True,
    )  # fmt: skip
    context.set_offline(True)
    yield Opened(context.new_page(), file)
    context.close()


def title(page) -> str:
    return page.locator("article:not([hidden]) h2").inner_text()


def exported(page) -> list[dict]:
    with page.expect_download() as download:
        page.keyboard.press("Control+s")
    assert download.value.suggested_filename == "toy-reviewed.jsonl"
    text = download.value.path().read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def test_it_needs_nothing_but_itself_and_no_text_of_a_row_runs(opened, file):
    page = opened.page
    widths = []
    while not page.locator("#done").is_visible():
        widths.append(page.evaluate("document.documentElement.scrollWidth - innerWidth"))
        page.keyboard.press("ArrowRight")
    assert len(widths) == 6 + len(HOSTILE) and max(widths) <= 0
    assert opened.requests == [file.as_uri()] and opened.messages == []
    # An element that gets into the page all the same is kept from running.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(1)>')")
    assert all("Content Security Policy" in message for message in opened.messages)


def test_keys_accept_correct_skip_and_undo(opened):
    page = opened.page
    assert title(page).startswith("Row 1 of ")
    page.keyboard.press("Enter")  # accepts "none"
    page.keyboard.press("3")  # lives_in
    page.keyboard.type("kno")
    assert page.locator("article:not([hidden]) li:visible button.first").inner_text().count("knows")
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("0")
    page.keyboard.press("Backspace")  # not that one
    assert title(page).startswith("Row 5 of ")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert "knows" in page.locator("article:not([hidden]) .answer").inner_text()
    page.keyboard.type("home")
    page.keyboard.press("Enter")
    assert title(page).startswith("Row 5 of ")
    assert page.locator("#count").inner_text() == f"3 of {6 + len(HOSTILE)}, 1 skipped"
    answers = [(record["id"], record["relation"]) for record in exported(page)]
    assert answers == [("line-0", "none"), ("line-1", "lives_in"), ("line-2", "home_of")]


def test_answers_survive_a_reload_and_can_still_be_undone(opened):
    page = opened.page
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    page.reload()
    assert title(page).startswith("Row 3 of ")
    page.keyboard.press("Backspace")
    assert title(page).startswith("Row 2 of ")
    assert [record["relation"] for record in exported(page)] == ["none"]


def test_what_another_page_has_stored_does_no_harm(opened):
    page = opened.page
    for stored in ("nonsense", "[]", '{"answers": {"x": 1}, "steps": [3, ["x"]]}',
                   '{"answers": 3, "steps": {"a": 1}}'):  # fmt: skip
        page.evaluate("text => localStorage.setItem('tkre-review/toy', text)", stored)
        page.reload()
        assert title(page).startswith("Row 1 of ")
        page.keyboard.press("Backspace")
        assert title(page).startswith("Row 1 of ")
    assert opened.messages == []


def test_a_name_that_no_relation_has_and_a_key_that_is_held_down_answer_nothing(opened):
    page = opened.page
    page.keyboard.type("zzz")
    page.keyboard.press("Enter")
    assert "No relation of this row is called" in page.locator("#status").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.down("Enter")
    page.keyboard.down("Enter")  # a repetition
    page.keyboard.up("Enter")
    assert title(page).startswith("Row 2 of ")


def test_the_mouse_and_assistive_technology(opened):
    page = opened.page
    choice = page.get_by_role("button", name="lives_in").first
    assert choice.get_attribute("aria-pressed") == "false"
    choice.click()
    page.locator("#back").click()
    assert choice.get_attribute("aria-pressed") == "true"
    assert page.get_by_label("Relation", exact=True).count() == 1
    assert page.get_by_role("status").count() == 1
    assert page.get_by_role("progressbar").get_attribute("value") == "1"
    page.locator("#undo").click()
    assert page.get_by_role("progressbar").get_attribute("value") == "0"


def test_letters_stand_out_from_their_ground(opened):
    """Contrast of at least 4.5 (WCAG AA), for all text that is shown."""
    faint = opened.page.evaluate(
        """() => {
             const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
             const light = (colour) => {
               const [r, g, b] = parts(colour).map((c) => (c /= 255) <= .04045
                 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
               return .2126 * r + .7152 * g + .0722 * b;
             };
             const ground = (e) => {
               for (; e; e = e.parentElement) {
                 const colour = getComputedStyle(e).backgroundColor;
                 if ((parts(colour)[3] ?? 1) === 1) return colour;
               }
               return "rgb(255, 255, 255)";
             };
             return [...document.querySelectorAll("body *")].filter((e) => e.offsetParent
                 && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
               .filter((e) => {
               const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
               return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5;
             }).map((e) => e.outerHTML.slice(0, 80));
           }"""
    )
    assert faint == []
