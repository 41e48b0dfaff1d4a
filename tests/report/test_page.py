from __future__ import annotations

import re
import tomllib
from itertools import pairwise

import pytest

from tests.conftest import ROOT
from tests.report.contents import HOSTILE, content
from tests.report.html_page import Page
from tkre.report.drawing import STRONGEST
from tkre.report.page import report_page, templates
from tkre.report.params import PageParams


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(report_page(content()))


def test_a_page_is_complete_and_names_its_language(page):
    html = page.all("html")[0]
    assert html.attributes["lang"] == "en"
    assert page.all("title")[0].text == "trial: report"
    assert page.elements[-1].tag == "p" and page.all("footer")


def test_it_loads_nothing_and_lets_nothing_run(page):
    policy = next(e for e in page.all("meta") if "http-equiv" in e.attributes).attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {"script", "link", "img", "iframe", "object"} & {e.tag for e in page.elements}
    links = [e.attributes["href"] for e in page.elements if "href" in e.attributes]
    assert links and all(link.startswith("#") for link in links)


def test_text_of_others_is_text():
    page = Page(report_page(content(hostile=HOSTILE)))
    assert not {"script", "img"} & {e.tag for e in page.elements}
    names = {name for e in page.elements for name in e.attributes}
    assert not [name for name in names if name.startswith("on")]
    # In a sentence, a relation, an explanation, a refused text, an id and a model's name.
    for said in (f"Bert {HOSTILE}", f"likes{HOSTILE}", f"says so. {HOSTILE}", f"<head>{HOSTILE}",
                 f"row-0{HOSTILE}", f"a copy {HOSTILE}", f"a model{HOSTILE}"):  # fmt: skip
        assert said in page.text.replace("Bert tail", "Bert"), said
    assert any("<script>" in e.text for e in page.all("text"))  # names in figures


def test_headings_are_in_order_and_names_are_unique(page):
    levels = [int(e.tag[1]) for e in page.elements if re.fullmatch("h[1-6]", e.tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    ids = [e.attributes["id"] for e in page.elements if "id" in e.attributes]
    assert len(ids) == len(set(ids))


def test_every_link_leads_somewhere_and_the_first_skips_to_the_content(page):
    ids = {e.attributes["id"] for e in page.elements if "id" in e.attributes}
    links = [e.attributes["href"] for e in page.all("a")]
    assert links[0] == "#content" and {link[1:] for link in links} <= ids
    assert page.all("main")[0].attributes["id"] == "content"


def test_tables_and_drawings_can_be_read_aloud(page):
    for table in page.all("table"):
        tags = [e.tag for e in table.inside]
        assert "caption" in tags
        assert all("scope" in e.attributes for e in table.inside if e.tag == "th")
    drawings = [e for e in page.all("svg") if e.attributes.get("aria-hidden") != "true"]
    assert drawings
    for drawing in drawings:
        assert drawing.attributes["role"] == "img" and drawing.attributes["aria-label"]


def test_every_chart_has_its_table(page):
    figures = page.all("figure")
    assert len(figures) >= 5
    for figure in figures:
        assert [e.tag for e in figure.inside if e.tag in ("figcaption", "table")] == [
            "figcaption", "table",
        ]  # fmt: skip
        assert any(e.tag == "details" for e in figure.inside)


def test_missing_parts_are_named(undrawn):
    page = Page(report_page(content(seeds=(13,), knowledge=False, bare=True)))
    for said in ("One seed does not show the variance", "No calibration is known",
                 "No variant uses knowledge of a language model", "No losses are known",
                 "No error is known", "not recorded"):  # fmt: skip
        assert said in page.text


def test_without_a_row_to_score_there_is_a_page(undrawn):
    page = Page(report_page(content(scored=0)))
    assert "there is no sentence to score on" in page.text


def test_zero_shot_and_several_corpora(undrawn):
    page = Page(report_page(content(corpora=("toy", "other"), shots=(0, 8))))
    assert "none: zero-shot" in page.text
    for place in ("toy, K = 0", "other, K = 8"):
        assert place in page.text
    assert "Micro-F1 along K, labelled sentences per relation" in page.text


def test_no_sentence_is_quoted_where_none_may_be(undrawn):
    page = Page(report_page(content(page=PageParams(examples=0, errors=0))))
    assert "Anna" not in page.text
    assert "No sentence is quoted here" in page.text
    assert "check their licences" not in page.text


def test_templates_are_part_of_the_package():
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = packaged["tool"]["setuptools"]["package-data"]["tkre"]
    files = {path for pattern in patterns for path in (ROOT / "src/tkre").glob(pattern)}
    for name in ("page.html.j2", "blocks.html.j2", "card.md.j2", "style.css", "colours.css"):
        assert ROOT / "src/tkre/report/templates" / name in files


COLOURS = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")


def palettes() -> list[dict[str, str]]:
    """The colours of light and dark."""
    blocks = re.findall(r":root \{(.*?)\}", str(templates().globals["style"]), re.DOTALL)
    return [dict(COLOURS.findall(block)) for block in blocks]


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def over(colour: str, ground: str) -> str:
    """What is seen of a colour at the strongest opacity of a matrix."""
    pairs = [[int(c[n : n + 2], 16) for c in (colour, ground)] for n in (1, 3, 5)]
    mixed = [round(STRONGEST * c + (1 - STRONGEST) * g) for c, g in pairs]
    return "#" + "".join(f"{part:02x}" for part in mixed)


@pytest.mark.parametrize("n", range(2), ids=["light", "dark"])
def test_contrast_is_that_of_the_guidelines(n):
    """WCAG 2.2 AA: 4.5 for text, 3 for what is drawn."""
    colours = palettes()[n]
    for text in ("ink", "soft", "accent"):
        for ground in ("page", "tint"):
            assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for ground in ("head", "tail"):
        assert contrast(colours["ink"], colours[ground]) >= 4.5, ground
    for field in ("s0", "s1"):  # of a matrix, the strongest there is
        assert contrast(colours["ink"], over(colours[field], colours["page"])) >= 4.5, field
    for n_series in range(7):
        assert contrast(colours[f"s{n_series}"], colours["page"]) >= 3, n_series
    assert contrast(colours["trigger"], colours["tint"]) >= 3


def test_paper_is_light_whatever_the_screen_is():
    """Dark colours are for screens alone; the browser's test sees it printed."""
    light, dark = palettes()
    assert light.keys() == dark.keys() and light != dark
    assert re.findall(r"@media (.*) \{\s*:root", str(templates().globals["style"])) == [
        "screen and (prefers-color-scheme: dark)"
    ]
