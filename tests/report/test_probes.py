"""The section of probes: shares by variant and relation, and worst answers."""

from __future__ import annotations

from tests.report.contents import HOSTILE, content
from tests.report.test_sections import of_kind, prose
from tkre.report.blocks import Facts, Quotes, Table
from tkre.report.params import PageParams
from tkre.report.probes import probes

FOUND = content()


def test_variants_side_by_side_then_relations_of_each():
    section = probes(FOUND)
    by_variant, *by_relation = (block.table for block in of_kind(section, Table))
    # "likes" is the answer of typ_marker, "none" that of tkre; neither has an inverse or forms.
    assert by_variant.columns == ["variant", "phrase", "exchange", "negation", "third", "bystander",
                                  "names", "typos", "all"]  # fmt: skip
    assert by_variant.rows[0][:4] == ["typ_marker", "50", "50", "50"]
    assert by_variant.rows[1][:4] == ["tkre", "0", "100", "100"]
    assert [row[:3] for row in by_relation[0].rows] == [["likes", "100", "0"], ["owns", "0", "100"]]
    assert "made from the schema alone" in prose(section)
    assert [name for name, _ in of_kind(section, Facts)[0].facts] == by_variant.columns[1:-1]


def test_worst_answers_say_what_is_expected():
    quotes = of_kind(probes(FOUND), Quotes)[0].quotes
    assert len(quotes) == FOUND.page.errors
    labels = [dict(quote.labels) for quote in quotes]
    assert {"check": "exchange", "expected": "not likes", "predicted": "likes (0.90)"} in labels
    # Each check has a wrong answer; then the first has another one.
    assert len({label["check"] for label in labels[:7]}) == 7


def test_none_quoted_and_none_probed():
    assert not of_kind(probes(content(page=PageParams(errors=0))), Quotes)
    assert probes(content(bare=True)) == []


def test_text_of_a_schema_is_escaped():
    [quotes, *_] = of_kind(probes(content(hostile=HOSTILE)), Quotes)
    assert all("<script>" not in str(quote.text) for quote in quotes.quotes)
