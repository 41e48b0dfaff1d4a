from __future__ import annotations

import numpy as np
import pandas as pd

from tkre.report.blocks import figure, table_of, titled, varying, words
from tkre.report.tables import TextTable


def test_columns_that_are_there_are_shown_under_their_headings():
    frame = pd.DataFrame({"variant": ["a", "b"], "f1": [1.25, np.nan], "rows": [1200, 3]})
    table = table_of(
        frame, "T", "n", {"variant": "variant", "gone": "?"}, {"f1": "F1", "rows": "sentences"}
    )
    assert (table.columns, table.labels) == (["variant", "F1", "sentences"], 1)
    assert table.rows == [["a", "1.2", "1,200"], ["b", "", "3"]]


def test_records_and_nothing_are_tables_too():
    assert table_of([{"a": True}], "T", "", {"a": "is"}, {}).rows == [["yes"]]
    assert table_of([], "T", "", {"a": "is"}, {}).rows == []


def test_figures():
    assert [figure(v) for v in (3, 3.0, None, np.float64(2.25), np.int64(4), "5 min")] == [
        "3", "3.0", "", "2.2", "4", "5 min",
    ]  # fmt: skip
    assert figure(1.239, decimals=2) == "1.24"
    assert [words(v) for v in (False, None, np.nan, "w")] == ["no", "", "", "w"]


def test_titles_begin_with_a_capital():
    table = TextTable("calibrator: toy", "", ["a"], 1, [])
    assert titled(table).table.title == "Calibrator: toy"


def test_only_what_differs_varies():
    frame = pd.DataFrame({"a": [1, 1], "b": [1, 2]})
    assert varying(frame, ["a", "b", "c"]) == ["b"]
