from __future__ import annotations

from tkre.report.notebooks import Html, tables
from tkre.report.tables import TextTable


def test_tables_are_escaped_and_figures_stand_to_the_right():
    table = TextTable("<t>", "a & b", ["variant", "F1"], 1, [["<b>", "50.0"]])
    markup = tables([table, table]).markup
    assert markup.count("<table>") == 2
    assert "<b>&lt;t&gt;</b>" in markup and "a &amp; b" in markup
    assert '<td style="text-align:left">&lt;b&gt;</td>' in markup
    assert '<td style="text-align:right">50.0</td>' in markup


def test_a_notebook_shows_the_markup_and_a_terminal_does_not():
    assert Html("<p>x</p>")._repr_html_() == "<p>x</p>"
    assert "<p>" not in repr(Html("<p>x</p>"))
