from __future__ import annotations

from io import StringIO

import numpy as np
import pandas as pd
from rich.console import Console

from tests.evaluation.test_results import PARAMS, experiment, metrics, predictions
from tkre.evaluation.results import cells_table, summary_table, with_natural
from tkre.report.tables import (
    TextTable,
    detail_tables,
    llm_tables,
    markdown,
    number,
    rich_table,
    score_tables,
    table_of,
    varying,
    words,
)


def shown(ms, ps, baseline="typ_marker"):
    return list(score_tables(summary_table(ms, ps, baseline, PARAMS), cells_table(ms)))


def test_a_row_for_each_variant():
    [table] = shown(*experiment())
    assert table.title == "toy, K = 8" and "seeds 13, 21" in table.note
    assert table.columns == [
        "variant", "seeds", "micro-F1", "95 %", "to baseline, 95 %", "P", "R", "s/cell",
    ]  # fmt: skip
    assert [row[0] for row in table.rows] == ["typ_marker", "tkre"]
    assert table.rows[0][4] == "" and table.rows[1][4].startswith("+")
    assert table.rows[1][1:3] == ["2", "94.4 ± 7.9"]
    assert table.rows[1][3].startswith("[")
    assert table.note.endswith("; intervals over seeds and test rows")


def test_unequal_numbers_of_seeds_are_said():
    ms, ps = experiment(seeds=(13, 21, 42))
    [table] = shown([*ms[:4], ms[5]], [*ps[:4], ps[5]])
    assert [row[1] for row in table.rows] == ["2", "3"]
    assert table.rows[1][4].endswith("] (2 seeds)")
    assert table.note.endswith("; differences over the seeds that both have")


def test_a_table_of_before_says_what_its_intervals_leave_out():
    ms, ps = experiment()
    summary = summary_table(ms, ps, "typ_marker", PARAMS)
    older = summary.drop(columns=["low", "high", "difference_seeds"])
    [table] = score_tables(older, cells_table(ms))
    assert "95 %" not in table.columns
    assert table.note.endswith("of an earlier kind: other seeds are not in them")


def test_cells_without_scored_rows_are_marked():
    ps = [predictions(["a"] * 6).iloc[:0]] * 2
    ms = [metrics(f"toy.k8.s{seed}.v", p) for seed, p in zip((13, 21), ps, strict=True)]
    [table] = shown(ms, ps)
    assert table.rows == [["v", "2", "not scored", "", "", "", table.rows[0][-1]]]


def test_a_variant_that_was_scored_on_fewer_sentences_is_named():
    whole = predictions(["a", "a", "b", "b", "no", "a"])
    some = whole.iloc[:4]
    asked = metrics("toy.k8.s13.llm", some) | {"recipe": {"in_context": {"rows": 4}}}
    [table] = shown([asked, metrics("toy.k8.s13.typ_marker", whole)], [some, whole])
    assert table.note == "per cent; seed 13; intervals over test rows; llm on 4 of 6 sentences"


def test_axes_that_vary_have_columns():
    guessed = ["a", "a", "b", "b", "no", "a"]
    ps = [predictions(guessed)] * 3
    ms = [
        metrics(f"toy.{kind}.s13.v", p)
        for kind, p in zip(("k8", "k8n20", "k8n20f"), ps, strict=True)
    ]
    [table] = shown(ms, ps)
    assert table.columns[:3] == ["variant", "noise, %", "filtered"] and table.labels == 3
    assert [row[1:3] for row in table.rows] == [["0", "no"], ["20", "no"], ["20", "yes"]]


def test_language_models_have_rows_where_there_are_several():
    frame = predictions(["a", "a", "b", "b", "no", "a"])
    golden = metrics("toy.k8.s13.typ_marker", frame, synthetic=0, llm="none")
    ms = [golden, metrics("toy.k8.s13.v", frame), metrics("toy.k8_qwen.s13.v", frame)]
    [table] = shown(ms, [frame] * 3)
    assert table.columns[:2] == ["variant", "language model"]
    assert [row[:2] for row in table.rows] == [
        ["typ_marker", "none"], ["v", "default"], ["v", "qwen"],
    ]  # fmt: skip
    assert all(row[5] for row in table.rows[1:])  # both are compared with the baseline
    [table] = shown(ms[:2], [frame] * 2)
    assert "language model" not in table.columns  # one llm, and none, are no comparison


def test_llm_tables_leave_out_unknown_columns():
    row = {"corpus": "toy", "shots": 8, "synthetic": 1, "llm": "qwen", "model": "Qwen3",
           "seeds": 2, "explanation_validity": 50.0, "synthesis_validity": 0.0,
           "synthesis_yield": 0.0, "distinct_2": float("nan"), "largest_overlap": float("nan"),
           "distinct_pairs": float("nan"), "words": float("nan"),
           "micro_f1.v": 60.0, "micro_f1_std.v": 1.5,
           "micro_f1.w": float("nan"), "micro_f1_std.w": float("nan")}  # fmt: skip
    [table] = llm_tables(pd.DataFrame([row]))
    assert table.columns[0] == "language model" and table.columns[-2:] == ["F1 v", "F1 w"]
    assert table.rows == [["qwen (Qwen3)", "2", "50.0", "0.0", "0.0", "60.0 ± 1.5", ""]]


def test_a_baseline_without_synthetic_sentences_is_compared_with_any_number():
    ps = [
        predictions(["a", "no", "b", "b", "no", "a"]),
        predictions(["a", "a", "b", "b", "no", "a"]),
    ]
    ms = [metrics("toy.k8.s13.typ_marker", ps[0], synthetic=0), metrics("toy.k8x4.s13.v", ps[1])]
    [table] = shown(ms, ps)
    assert "synthetic" not in " ".join(table.columns)
    assert table.rows[1][4] != ""


def test_details_show_what_a_reader_wants_of_them():
    rows = [
        {"corpus": "toy", "shots": 8, "synthetic": 4, "noise": noise, "variant": "v",
         "precision": precision, "recall": 70.55, "recovered": 60.0, "seeds": 3}
        for noise, precision in ((0, float("nan")), (40, 88.7))
    ]  # fmt: skip
    [table] = detail_tables("filter", pd.DataFrame(rows))
    assert table.title == "filter of synthetic sentences: toy, K = 8"
    assert table.columns == ["variant", "noise, %", "seeds", "precision", "recall", "recovered"]
    assert table.rows[1] == ["v", "40", "3", "88.7", "70.5", "60.0"]
    assert table.rows[0][3] == ""
    rows = [{"corpus": "toy", "shots": 8, "variant": "v", "explicit_f1": 90.0,
             "explicit_rows": 775.0}]  # fmt: skip
    [table] = detail_tables("implicit", pd.DataFrame(rows))
    assert table.rows == [["v", "90.0", "775"]]


def test_rows_that_nothing_decides_are_counted():
    row = {"corpus": "toy", "shots": 8, "variant": "v", "explicit_f1": float("nan"),
           "explicit_rows": 0, "implicit_f1": float("nan"), "implicit_rows": 0,
           "undecided_rows": 3469, "difference": float("nan")}  # fmt: skip
    [table] = detail_tables("implicit", pd.DataFrame([row]))
    assert table.columns == ["variant", "rows", "rows", "undecided"]
    assert table.rows == [["v", "0", "0", "3469"]]


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
    assert table_of([{"a": "x", "b": None}], "T", "", {"a": "a"}, {"b": "b"}).columns == ["a"]


def test_figures():
    assert [number(v) for v in (3, 3.0, None, np.float64(2.25), np.int64(4), "5 min")] == [
        "3", "3.0", "", "2.2", "4", "5 min",
    ]  # fmt: skip
    assert number(1.239, decimals=2) == "1.24" and number(-0.01) == "0.0"
    assert [words(v) for v in (False, None, np.nan, "w", 2.0)] == ["no", "", "", "w", "2"]


def test_only_what_differs_varies():
    frame = pd.DataFrame({"a": [1, 1], "b": [1, 2]})
    assert varying(frame, ["a", "b", "c"]) == ["b"]


def test_markdown_and_the_terminal_show_the_same_cells():
    table = TextTable("T", "n", ["variant", "F1"], 1, [["a|<b>", "50.0"]])
    assert markdown(table) == ["| variant | F1 |", "| --- | ---: |", r"| a\|&lt;b> | 50.0 |"]
    console = Console(width=60, file=StringIO())
    console.print(rich_table(table))
    assert "a|<b>" in console.file.getvalue()


def test_scores_on_natural_text_are_a_column_and_no_note_is_made_of_nothing():
    ms, ps = experiment()
    [table] = shown([with_natural(m, m) for m in ms], ps)
    assert table.columns[-2:] == ["F1 on natural text", "s/cell"]
    assert table.rows[1][-2] == table.rows[1][2]
    assert "nan" not in table.note and "sentences" not in table.note
