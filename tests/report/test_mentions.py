from __future__ import annotations

from tests.conftest import instance
from tests.report.contents import HOSTILE
from tests.report.html_page import Page
from tkre.core.instance import Instance, Span
from tkre.report.formatting import marked


def marks(row: Instance) -> list[tuple[str, str]]:
    return [(e.attributes["class"], e.text) for e in Page(marked(row)).all("mark")]


def test_mentions_are_marked_and_named():
    row = instance("<head>Ada</head> was born in <tail>London</tail>.", triggers=("born in",))
    assert marks(row) == [("head", "Ada head"), ("trigger", "born in"), ("tail", "London tail")]
    assert str(marked(row)).endswith("</mark>.")


def test_one_mention_may_lie_in_the_other():
    row = instance("<head>the mayor of <tail>Rome</tail></head> resigned")
    assert marks(row) == [("head", "the mayor of "), ("head tail", "Rome head tail")]


def test_crossing_and_touching_mentions_lose_no_letter():
    row = Instance("r", "abcdef", Span(0, 3), Span(2, 5))
    assert [text for _, text in marks(row)] == ["ab", "c head", "de tail"]
    assert marks(Instance("r", "abcd", Span(0, 2), Span(2, 4))) == [
        ("head", "ab head"), ("tail", "cd tail"),
    ]  # fmt: skip


def test_a_trigger_is_marked_wherever_it_stands_but_not_in_a_mention():
    row = instance("<head>in Inn</head> lies in and in <tail>T</tail>", triggers=("in", ""))
    assert [text for kind, text in marks(row) if kind == "trigger"] == ["in", "in"]


def test_text_is_escaped():
    row = instance(f"<head>a{HOSTILE}</head> is b <tail>c</tail>", triggers=(HOSTILE,))
    page = Page(marked(row))
    assert {e.tag for e in page.elements} == {"mark", "span"}
    assert page.elements[0].text == f"a{HOSTILE} head"
