"""Dots, lines, matrices and bars: what is drawn is what is given."""

from __future__ import annotations

import numpy as np
import pytest

from tests.report.contents import HOSTILE
from tests.report.html_page import Element, Page
from tkre.report.bars import BarRow, bar_legend, bar_panel
from tkre.report.dots import DotRow, dot_panel
from tkre.report.figures import Confusion
from tkre.report.lines import Axis, Series, legend, line_panel
from tkre.report.matrix import FAINTEST, STRONGEST, matrix_panel


def of_class(page: Page, name: str) -> list[Element]:
    return [e for e in page.elements if name in (e.attributes.get("class") or "").split()]


def place(element: Element, name: str) -> float:
    return float(str(element.attributes[name]))


def test_dots_stand_where_their_values_are():
    rows = [DotRow("one", 40, 30, 50, [(35, "seed 1: 35")], 0), DotRow("two", 60, series=1)]
    page = Page(dot_panel(rows, "F1", "%", reference=40))
    one, two = of_class(page, "dot")
    [whisker], [each], [reference] = (of_class(page, n) for n in ("whisker", "each", "reference"))
    assert place(one, "cx") == place(reference, "x1") < place(two, "cx")
    assert place(whisker, "x1") < place(each, "cx") < place(one, "cx") < place(whisker, "x2")
    middle = (place(whisker, "x1") + place(whisker, "x2")) / 2
    assert middle == pytest.approx(place(one, "cx"), abs=0.02)
    assert place(one, "cy") < place(two, "cy")
    assert one.text == "one: 40.0 (30.0 to 50.0)" and each.text == "seed 1: 35"


def test_a_row_without_a_value_is_named_and_empty():
    page = Page(dot_panel([DotRow("none", None), DotRow("one", 1)], "F1", "%"))
    assert [e.text for e in of_class(page, "name")] == ["none", "one"]
    assert len(of_class(page, "dot")) == 1


def test_nothing_to_draw_is_drawn_all_the_same():
    assert Page(dot_panel([], "F1", "%")).all("svg")
    assert Page(line_panel([], "F1", Axis("x"), Axis("y"))).all("svg")
    assert Page(bar_panel([], [("used", "kept")], "Yield", "n")).all("svg")


def test_lines_go_through_their_points():
    series = [Series("a", [8, 16, 32], [50, 60, 70], std=[1, 0, 2]), Series("b", [8], [10])]
    page = Page(line_panel(series, "F1", Axis("K", [8, 16, 32]), Axis("F1, %")))
    dots = of_class(page, "dot")
    assert len(dots) == 4 and len(of_class(page, "whisker")) == 2  # none of length 0
    xs, ys = ([place(d, axis) for d in dots[:3]] for axis in ("cx", "cy"))
    assert xs == sorted(xs) and ys == sorted(ys, reverse=True)
    assert {e.text for e in of_class(page, "tick")} >= {"8", "16", "32"}
    assert dots[0].text == "a: 8, 50.00"


def test_many_points_have_no_marks_and_levels_have_none_either():
    many = Series("a", range(100), range(100))
    level = Series("b", [0, 100], [5, 5], level=True)
    page = Page(line_panel([many, level], "risk", Axis("x"), Axis("y"), diagonal=True))
    assert not of_class(page, "dot")
    assert len(of_class(page, "line")) == 2 and len(of_class(page, "reference")) == 1
    assert [name for name, _ in legend([many, level])] == ["a", "b"]


def test_the_stronger_a_field_the_larger_its_share_of_the_row():
    confusion = Confusion(["a", "b"], np.array([[3, 1], [0, 8]]))
    page = Page(matrix_panel(confusion, "Confusion"))
    assert [e.text for e in of_class(page, "count")] == ["3", "1", "8"]
    right, wrong = of_class(page, "right"), of_class(page, "wrong")
    assert place(right[1], "fill-opacity") == STRONGEST
    assert FAINTEST < place(wrong[0], "fill-opacity") < place(right[0], "fill-opacity")
    assert wrong[0].text == "gold a, predicted b: 1 sentence, 25.0 %"
    assert len(of_class(page, "none")) == 1
    assert "11 of 12 sentences" in page.all("svg")[0].attributes["aria-label"]


def test_bars_are_as_long_as_what_they_count():
    kinds = [("used", "kept"), ("refused", "rejected")]
    page = Page(bar_panel([BarRow("a", [6, 2]), BarRow("b", [8, 0])], kinds, "Yield", "n"))
    used, refused, all_used = of_class(page, "bar")
    assert place(used, "width") == pytest.approx(3 * place(refused, "width"), abs=0.05)
    assert place(refused, "x") == pytest.approx(place(used, "x") + place(used, "width"), abs=0.02)
    assert place(all_used, "width") == pytest.approx(4 * place(refused, "width"), abs=0.05)
    assert refused.text == "a: 2 refused"
    assert [name for name, _ in bar_legend(kinds)] == ["used", "refused"]


@pytest.mark.parametrize(
    "drawn",
    [
        dot_panel([DotRow(HOSTILE, 1, each=[(1, HOSTILE)])], HOSTILE, HOSTILE),
        line_panel([Series(HOSTILE, [1], [1])], HOSTILE, Axis(HOSTILE), Axis(HOSTILE)),
        matrix_panel(Confusion([HOSTILE, "b"], np.ones((2, 2), dtype=int)), HOSTILE),
        bar_panel([BarRow(HOSTILE, [1])], [(HOSTILE, "kept")], HOSTILE, HOSTILE),
    ],
    ids=["dots", "lines", "matrix", "bars"],
)
def test_names_from_files_are_escaped(drawn):
    page = Page(drawn)
    assert not {"script", "img"} & {e.tag for e in page.elements}
    assert any(HOSTILE[:8] in e.text for e in page.elements)
