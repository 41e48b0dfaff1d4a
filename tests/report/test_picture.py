"""Pictures: a drawing as a file of its own."""

from __future__ import annotations

from xml.etree import ElementTree

from tests.report.contents import HOSTILE
from tkre.report.lines import HEIGHT, Axis, Series, legend, line_panel
from tkre.report.picture import picture
from tkre.report.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"


def drawn(series: list[Series]) -> ElementTree.Element:
    panel = line_panel(series, "F1", Axis("K"), Axis("F1, %"))
    return ElementTree.fromstring(picture("F1, %", panel, HEIGHT, legend(series)))


def test_it_is_well_formed_and_brings_its_colours():
    root = drawn([Series("a & b", [8, 16], [50, 60])])
    assert root.tag == f"{SVG}svg"  # without the namespace no browser draws a file
    [style] = root.findall(f"{SVG}style")
    assert "--s0" in str(style.text) and "svg text" in str(style.text)
    assert not {e.tag for e in root.iter()} & {f"{SVG}script", f"{SVG}foreignObject"}


def test_the_legend_has_a_row_for_each_line_below_the_drawing():
    one, two = (
        drawn([Series("a", [8], [50])]),
        drawn([Series("a", [8], [50]), Series("b", [8], [4])]),
    )
    names = [e for e in two.findall(f"{SVG}text") if e.get("class") != "name"]
    assert [e.text for e in two.findall(f"{SVG}text")] == ["F1, %", "a", "b"]
    heights = [float(root.attrib["viewBox"].split()[3]) for root in (one, two)]
    assert HEIGHT < heights[0] < heights[1]
    assert all(HEIGHT < float(e.attrib["y"]) < heights[1] for e in names)


def test_its_parts_do_not_cover_one_another():
    root = drawn([Series("a", [8, 16], [50, 60])])
    panel, swatch = root.findall(f"{SVG}svg")
    assert float(panel.attrib["width"]) == WIDTH
    assert float(panel.attrib["y"]) + float(panel.attrib["height"]) <= float(swatch.attrib["y"])


def test_names_are_text():
    assert [e.text for e in drawn([Series(HOSTILE, [8], [50])]).findall(f"{SVG}text")][1] == HOSTILE
