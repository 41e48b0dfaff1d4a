"""SVG of figures: escaped, the same each time, in the colours of the page."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pandas as pd
import pytest

from tests.report.contents import HOSTILE
from tests.report.html_page import Page
from tkre.report.drawing import (
    COLOURS,
    SERIES,
    Panel,
    draw,
    lines,
    printable,
    series_style,
    shortened,
    svg,
)


def frame(*names: str, panels: int = 1) -> pd.DataFrame:
    rows = [
        {"panel": f"panel {n}", "series": name, "x": x, "value": 50.0 + x, "std": 2.0}
        for n in range(panels) for name in names for x in (8, 16)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    return table.assign(series=pd.Categorical(table["series"], categories=names))


def drawn(*names: str, standalone: bool = False, panels: int = 1):
    panel = lines("K", "F1, %", ticks=True)
    return svg(draw(frame(*names, panels=panels), panel), "F1", standalone=standalone)


def test_text_of_others_is_text():
    page = Page(drawn(HOSTILE, "b $x$ \x00"))
    assert not {"script", "img"} & {e.tag for e in page.elements}
    texts = [e.text for e in page.all("text")]
    assert HOSTILE in texts and "b $x$  " in texts  # and a dollar sign is no formula


def test_it_is_one_image_whose_colours_are_those_of_the_page():
    markup = drawn("a", "b")
    image = Page(markup).all("svg")[0]
    assert image.attributes["role"] == "img" and image.attributes["aria-label"] == "F1"
    assert set(re.findall(r"var\(--(\w+)\)", markup)) <= set(COLOURS)
    assert not re.search(r"(fill|stroke): #", markup)


def test_figures_of_a_page_share_no_id_and_refer_to_their_own():
    figures = [draw(frame("a", "b"), lines(x)) for x in "KL"]
    pages = [Page(svg(figure, str(n))) for n, figure in enumerate(figures)]
    ids = [{e.attributes["id"] for e in page.elements if "id" in e.attributes} for page in pages]
    assert not ids[0] & ids[1]
    for page, own in zip(pages, ids, strict=True):
        uses = [e.attributes["href"][1:] for e in page.all("use")]
        assert uses and set(uses) <= own


def test_it_is_the_same_each_time():
    assert drawn("a", standalone=True) == drawn("a", standalone=True)


def test_a_file_brings_its_palette_and_its_legend():
    root = ElementTree.fromstring(drawn("a & b", "c", standalone=True))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "--s0" in "".join(root.itertext())
    assert {"a & b", "c"} <= {e.text for e in root.iter()}


def test_panels_stand_side_by_side_and_in_rows():
    one, three, four = (draw(frame("a", panels=n), lines("K")).get_size_inches() for n in (1, 3, 4))
    assert three[0] == 3 * one[0] and three[1] == one[1]
    assert four[0] == 3 * one[0] and four[1] == 2 * one[1]


def test_hundreds_of_rows_are_a_picture_of_limited_size():
    tall = Panel(lambda axes, rows: None, lambda rows: (5.0, 1000.0))
    figure = draw(frame("a"), tall, legend=False)
    assert (figure.get_size_inches() * figure.dpi).max() == 10_000
    assert draw(frame("a"), lines("K")).dpi == 144


def test_nothing_to_draw_is_a_figure_too():
    nothing = pd.DataFrame(columns=["panel"])
    assert "no scored sentence" in svg(draw(nothing, lines()), "F1")


def test_names_are_cut_in_their_middle():
    assert shortened("short", 10) == "short" and printable("a\nb") == "a b"
    cut = shortened("per:stateorprovinces_of_residence", 20)
    assert len(cut) == 20 and cut.startswith("per:state") and cut.endswith("residence")


def test_series_beyond_the_colours_are_dashed():
    first, later = series_style(0), series_style(SERIES)
    assert first["color"] == later["color"] and first["linestyle"] != later["linestyle"]


@pytest.mark.parametrize("name", ["page", "ink", *(f"s{n}" for n in range(SERIES))])
def test_colours_of_the_palette_are_distinct(name):
    assert list(COLOURS.values()).count(COLOURS[name]) == 1
