from __future__ import annotations

from tests.evaluation.test_tables import PARAMS, experiment, metrics, predictions
from tkre.evaluation.presentation import score_tables
from tkre.evaluation.tables import cells_table, summary_table


def shown(ms, ps, baseline="typ_marker"):
    return list(score_tables(summary_table(ms, ps, baseline, PARAMS), cells_table(ms)))


def test_a_row_for_each_variant():
    [table] = shown(*experiment())
    assert table.title == "toy, K = 8" and "seeds 13, 21" in table.note
    assert table.columns == ["variant", "micro-F1", "to baseline, 95 %", "P", "R", "s/cell"]
    assert [row[0] for row in table.rows] == ["typ_marker", "tkre"]
    assert table.rows[0][2] == "" and table.rows[1][2].startswith("+")
    assert table.rows[1][1] == "94.4 ± 5.6"


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


def test_a_baseline_without_synthetic_sentences_is_compared_with_any_number():
    ps = [
        predictions(["a", "no", "b", "b", "no", "a"]),
        predictions(["a", "a", "b", "b", "no", "a"]),
    ]
    ms = [metrics("toy.k8.s13.typ_marker", ps[0], synthetic=0), metrics("toy.k8x4.s13.v", ps[1])]
    [table] = shown(ms, ps)
    assert "synthetic" not in " ".join(table.columns)
    assert table.rows[1][2] != ""
