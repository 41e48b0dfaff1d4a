from __future__ import annotations

import math

import pytest

from tests.report.contents import HOSTILE
from tests.report.html_page import Page
from tkre.report.svg import Scale, dashes, drawing, element, series_class, shortened, text, ticks


def test_everything_in_an_element_is_escaped():
    page = Page(element("g", HOSTILE, text(1, 2, HOSTILE), aria_label=HOSTILE, class_="name"))
    assert [e.tag for e in page.elements] == ["g", "text"]
    assert page.elements[0].attributes == {"aria-label": HOSTILE, "class": "name"}
    assert page.elements[0].text == HOSTILE * 2


def test_a_drawing_is_one_image_with_words():
    [svg] = Page(drawing("Title", "so and so", 100)).all("svg")
    assert svg.attributes["role"] == "img"
    assert svg.attributes["aria-label"] == "Title. so and so"
    assert svg.attributes["viewbox"] == "0 0 360 100"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (74.4, 87.6, [70, 75, 80, 85, 90]),
        (-0.3, 17.6, [-5, 0, 5, 10, 15, 20]),
        (3, 3, [2, 2.5, 3, 3.5, 4]),
    ],
)
def test_ticks_are_round_and_hold_the_range(low, high, expected):
    assert ticks(low, high) == expected


def test_ticks_of_whole_numbers_have_no_halves():
    assert ticks(1, 4, whole=True) == [1, 2, 3, 4]
    assert ticks(1, 1, whole=True) == [0, 1, 2]


def test_ticks_of_nothing_are_those_of_an_empty_axis():
    assert ticks(math.nan, 1) == [0, 1]


def test_a_scale_may_run_backwards():
    up = Scale(0, 100, 200, 0)
    assert (up(0), up(25), up(100)) == (200, 150, 0)


def test_names_are_cut_in_their_middle():
    assert shortened("short", 10) == "short"
    cut = shortened("per:stateorprovinces_of_residence", 20)
    assert len(cut) == 20 and cut.startswith("per:state") and cut.endswith("residence")


def test_series_beyond_the_colours_are_dashed():
    assert series_class(0) == series_class(7)
    assert dashes(0) != dashes(7) != dashes(14)
