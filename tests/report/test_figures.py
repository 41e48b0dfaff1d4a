"""Frames behind the figures: means, deviations, what is left out; and that all are drawn."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.evaluation.test_calibration_report import metrics
from tests.evaluation.test_calibrator import fit, predictions
from tests.report.contents import content
from tkre.evaluation.calibration_report import score_calibration
from tkre.report import figures
from tkre.report.drawing import svg
from tkre.report.figures import FIGURES, drawable


def cells(**columns):
    base = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False,
            "annotated": 0, "chosen": "in_order",
            "llm": "default", "seed": 13, "variant": "v", "micro_f1": 50.0}  # fmt: skip
    length = max(len(v) for v in columns.values())
    return pd.DataFrame({name: columns.get(name, [value] * length) for name, value in base.items()})


def along(axis, **columns):
    return figures.along(axis, cells(**columns), "")


def names(frame):
    return frame["series"].unique().tolist()


@pytest.mark.parametrize("name", list(FIGURES))
def test_every_figure_is_drawn_and_has_a_table(name):
    kind, found = FIGURES[name], content(shots=(4, 8))
    if kind.axis in ("synthetic", "noise", "parameter"):
        pytest.skip("drawn by the same function as f1_by_shots")
    source = found.source(kind.reads)
    frame = kind.rows(source, "typ_marker")
    assert len(kind.behind(frame)) and frame["panel"].notna().all()
    assert {*kind.labels} <= {*frame} and {*kind.figures} & {*frame}
    assert "<text" in svg(kind.draw(source, "typ_marker"), name)


@pytest.mark.parametrize("name", ["f1_by_variant", "differences", "f1_by_relation", "confusion",
                                  "reliability", "risk_coverage", "f1_by_shots"])  # fmt: skip
def test_what_was_not_scored_is_not_drawn(name):
    kind, found = FIGURES[name], content(scored=0, shots=(4, 8))
    assert kind.rows(found.source(kind.reads), "typ_marker").empty
    assert kind.draw(found.source(kind.reads), "typ_marker").axes


def test_curves_are_drawn_along_axes_of_several_values():
    assert "f1_by_noise" not in drawable([]) and "f1_by_noise" in drawable(["noise"])


def test_bars_are_means_with_their_deviation_and_seeds():
    rows = figures.by_variant(cells(seed=[1, 2], micro_f1=[40.0, 50.0]), "")
    assert rows[["value", "std", "seeds"]].to_numpy().tolist() == [[45, pytest.approx(50**0.5), 2]]
    assert rows["each"].tolist() == [[40, 50]]
    [one] = figures.by_variant(cells(micro_f1=[40.0]), "").to_dict("records")
    assert one["each"] == [] and np.isnan(one["std"])


def test_mean_and_deviation_over_seeds_along_an_axis():
    line = along("shots", shots=[8, 8, 16, 16], seed=[1, 2, 1, 2], micro_f1=[40, 50, 60, 80])
    assert line["x"].tolist() == [8, 16] and line["value"].tolist() == [45, 70]
    assert line["std"].tolist() == pytest.approx([50**0.5, 200**0.5])
    assert along("shots", shots=[8, 16], micro_f1=[40, 60])["std"].isna().all()


def test_settings_that_differ_have_lines():
    frame = along("noise", noise=[0, 20] * 2, filtered=[False] * 2 + [True] * 2,
                  micro_f1=[9, 5, 9, 8])  # fmt: skip
    assert names(frame) == ["v, not filtered", "v, filtered"]
    frame = along("shots", variant=["v", "v", "base"] * 2, shots=[8] * 3 + [16] * 3,
                  llm=["default", "qwen", "none"] * 2, micro_f1=range(6))  # fmt: skip
    assert set(names(frame)) == {
        "v, written by default", "v, written by qwen", "base, no language model",
    }  # fmt: skip


def test_a_variant_without_synthetic_sentences_is_level():
    frame = along("synthetic", variant=["base", "v", "v"], synthetic=[0, 1, 4],
                  micro_f1=[30, 50, 60])  # fmt: skip
    level = frame[frame["series"] == "base"]
    assert level["level"].all() and level["x"].tolist() == [0, 4]
    assert level["value"].tolist() == [30, 30]
    frame = along("noise", variant=["base", "v", "v"], synthetic=[0, 1, 1], noise=[0, 0, 20],
                  filtered=[False, True, False])  # fmt: skip
    assert set(names(frame)) == {"base", "v, filtered", "v, not filtered"}


def test_annotated_rows_are_an_axis_that_older_tables_lack():
    frame = along("annotated", variant=["base", "v", "v"], annotated=[0, 0, 9],
                  micro_f1=[30, 40, 60])  # fmt: skip
    assert frame[frame["series"] == "v"]["x"].tolist() == [0, 9]
    assert frame[frame["series"] == "base"]["level"].all()
    older = cells(shots=[8, 16]).drop(columns="annotated")
    assert names(figures.along("shots", older, "")) == ["v"]


def test_a_relation_without_a_sentence_has_no_value():
    found = content(seeds=(13,)).source("metrics")
    for cell in found:
        cell["by_relation"][0] |= {"gold": 0, "f1": 0.0}
    frame = figures.by_relation(found, "typ_marker").set_index("relation")
    assert np.isnan(frame.loc["likes", "value"]) and frame["value"].notna().sum() == 2


def test_confusions_are_summed_over_seeds_for_the_best_setting():
    found = content().source("metrics")
    frame = figures.confusion(found, "")
    best = [np.array(m["confusion"]["counts"]) for m in found if m["variant"] == "tkre"]
    assert frame["panel"].unique().tolist() == ["tkre, toy, K = 8"]
    assert frame["count"].sum() == sum(counts.sum() for counts in best)
    likes = frame[(frame["gold"] == "likes") & (frame["predicted"] == "likes")].iloc[0]
    assert likes["count"] == sum(counts[0, 0] for counts in best)


def test_bins_are_pooled_and_risks_averaged_over_seeds():
    calibrator = fit(predictions(200))
    scores = [score_calibration(predictions(300, seed=seed), calibrator, metrics(seed, "one"))
              for seed in (13, 21)]  # fmt: skip
    frame = figures.reliability(scores, "")
    before = frame[frame["panel"].str.startswith("before")]
    assert before["rows"].sum() == 600
    right = np.average(before["value"], weights=before["rows"])
    expected = np.mean([b["accuracy"] * b["rows"] for s in scores
                        for b in s["reliability_before"]]) * 30 / 600  # fmt: skip
    assert right == pytest.approx(100 * expected)
    risk = figures.risk(scores, "")
    assert risk["value"].iloc[-1] == pytest.approx(np.mean([s["risks"][-1] for s in scores]))


def test_training_is_a_panel_for_each_stage_and_fine_tuning_the_last():
    found = content()
    frame = figures.training(found.tables["training_curves"], "")
    assert frame["panel"].unique()[-1].startswith("validation F1")
    one = frame[(frame["series"] == "tkre") & frame["panel"].str.startswith("MSLM")]
    assert one["value"].tolist() == [2.5, 1.5]
