from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tkre.core.cells import parse_cell
from tkre.evaluation import results as tables
from tkre.evaluation.metrics import METRICS, Score
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.results import (
    FINETUNING,
    GROUP_KEYS,
    IncompleteExperiment,
    by_setting,
    cell_columns,
    cells_table,
    samples_table,
    score_cell,
    std_over_seeds,
    summary_table,
    training_curves,
    varies,
    with_natural,
)
from tkre.generation.rejections import Reject, Tally, yield_frame

LABELS = ["a", "b", "no"]
GOLD = ["a", "a", "b", "b", "no", "no"]
PARAMS = ReportingParams(resamples=200)


def predictions(guessed, ids=None):
    return pd.DataFrame({"id": ids or range(len(GOLD)), "gold": GOLD, "predicted": guessed})


def metrics(name, frame, metric="micro", seconds=3.0, **more):
    more.setdefault("synthetic", parse_cell(name).sample.synthetic)
    more.setdefault("llm", parse_cell(name).sample.llm)
    return score_cell(frame, parse_cell(name), LABELS, "no", metric, seconds, **more)


def test_a_cell_is_scored_and_can_be_saved():
    m = metrics("toy.k8x4.s13.tkre", predictions(["a", "b", "b", "b", "no", "a"]))
    assert (m["corpus"], m["shots"], m["synthetic"], m["seed"], m["variant"]) == (
        "toy", 8, 4, 13, "tkre",
    )  # fmt: skip
    assert (m["micro_precision"], m["micro_recall"]) == (60, 75)
    assert m["micro_f1"] == pytest.approx(200 / 3)
    assert m["confusion"]["counts"] == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    assert [r["relation"] for r in m["by_relation"]] == LABELS
    assert json.dumps(m)


def test_a_language_model_that_labels_some_rows_has_no_difference_to_a_baseline():
    some = predictions(["a", "b", "b", "b", "no", "a"]).iloc[:4]
    asked = metrics("toy.k8.s13.llm", some) | {"recipe": {"in_context": {"rows": 4}}}
    whole = predictions(["a"] * 6)
    table = summary_table(
        [asked, metrics("toy.k8.s13.typ_marker", whole)], [some, whole], "typ_marker", PARAMS
    )
    of_llm = table[table["variant"] == "llm"]
    assert of_llm["difference"].isna().all() and of_llm["mean"].iloc[2] == 75


def test_a_cell_without_rows_has_no_score():
    m = metrics("toy.k8.s13.tkre", predictions(["a"] * 6).iloc[:0])
    assert m["micro_f1"] is None and m["rows"] == 0
    assert cells_table([m]).shape == (1, len(cell_columns()))
    assert (
        summary_table([m], [predictions(["a"] * 6).iloc[:0]], "typ_marker", PARAMS)["mean"]
        .isna()
        .all()
    )


def experiment(seeds=(13, 21)):
    ms, ps = [], []
    for seed in seeds:
        for variant, guessed in (
            ("typ_marker", ["a", "no", "no", "b", "a", "no"]),
            ("tkre", ["a", "a", "b", "b", "no", "a" if seed == 21 else "no"]),
        ):
            ps.append(predictions(guessed))
            ms.append(metrics(f"toy.k8.s{seed}.{variant}", ps[-1]))
    return ms, ps


def test_cells_are_rows_in_the_order_of_the_grid():
    ms, _ = experiment()
    cells = cells_table(ms)
    assert cells[["seed", "variant"]].to_numpy().tolist() == [
        [13, "typ_marker"], [13, "tkre"], [21, "typ_marker"], [21, "tkre"],
    ]  # fmt: skip


def test_the_summary_over_seeds():
    summary = summary_table(*experiment(), "typ_marker", PARAMS).set_index(["variant", "metric"])
    ours, base = summary.loc[("tkre", "micro_f1")], summary.loc[("typ_marker", "micro_f1")]
    assert ours["mean"] == pytest.approx((100 + 800 / 9) / 2)
    assert ours["std"] == pytest.approx((100 - 800 / 9) / np.sqrt(2))  # of the sample
    assert ours["low"] <= ours["mean"] <= ours["high"]
    assert ours["seeds"] == ours["difference_seeds"] == 2
    assert ours["difference"] == pytest.approx(ours["mean"] - base["mean"])
    assert ours["difference_low"] <= ours["difference"] <= ours["difference_high"]
    assert pd.isna(base["difference"])
    assert pd.isna(summary.loc[("tkre", "micro_precision"), "difference"])


def test_one_seed_has_no_spread():
    summary = summary_table(*experiment(seeds=(13,)), "typ_marker", PARAMS)
    assert summary["std"].isna().all() and summary["mean"].notna().all()


def test_an_experiment_without_the_baseline_has_no_differences():
    ms, ps = experiment()
    summary = summary_table(ms[1::2], ps[1::2], "typ_marker", PARAMS)
    assert summary["difference"].isna().all()


def test_a_difference_is_over_the_seeds_that_both_have():
    ms, ps = experiment(seeds=(13, 21, 42))
    of_both, at = summary_table(ms[:4], ps[:4], "typ_marker", PARAMS), [0, 1, 2, 3, 5]
    fewer = summary_table([ms[n] for n in at], [ps[n] for n in at], "typ_marker", PARAMS)
    two, three = (
        t.set_index(["variant", "metric"]).loc[("tkre", "micro_f1")] for t in (of_both, fewer)
    )
    assert (three["seeds"], three["difference_seeds"]) == (3, 2)
    compared = ["difference", "difference_low", "difference_high"]
    assert three[compared].tolist() == two[compared].tolist()
    apart = summary_table([ms[0], ms[3]], [ps[0], ps[3]], "typ_marker", PARAMS)
    assert apart["difference"].isna().all()


def test_cells_that_scored_other_rows_are_not_compared():
    ms, ps = experiment(seeds=(13,))
    with pytest.raises(IncompleteExperiment, match="tkre and typ_marker scored different rows"):
        summary_table(ms, [ps[0], predictions(["a"] * 6, ids=list("uvwxyz"))], "typ_marker", PARAMS)


def test_stale_cells_are_named_and_never_averaged():
    ms, _ = experiment()
    ms[1]["stale"] = ["finetuning.add_inverted was False, it is True now"]
    with pytest.raises(IncompleteExperiment, match=r"1 of 4 cells.*\n  toy, .*seed 13, tkre: fine"):
        cells_table(ms)


def test_a_baseline_is_compared_at_its_number_of_annotated_rows_or_at_none():
    frame = predictions(["a", "a", "b", "b", "no", "a"])
    worse = predictions(["a", "no", "b", "b", "no", "a"])
    ms = [metrics(f"toy.{kind}.s13.{variant}", f) for kind, variant, f in (
        ("k8", "base", worse), ("k8", "v", frame), ("k8a9", "v", frame), ("k8a9", "base", frame),
    )]  # fmt: skip
    summary = summary_table(ms[:3], [worse, frame, frame], "base", PARAMS)
    f1 = summary[summary["metric"] == "micro_f1"].set_index(["variant", "annotated"])["difference"]
    assert f1["v", 9] == f1["v", 0] > 0
    summary = summary_table(ms, [worse, *[frame] * 3], "base", PARAMS)
    f1 = summary[summary["metric"] == "micro_f1"].set_index(["variant", "annotated"])["difference"]
    assert f1["v", 9] == 0 < f1["v", 0]


def test_a_way_of_choosing_is_compared_with_the_baseline_in_order():
    frame = predictions(["a", "a", "b", "b", "no", "a"])
    worse = predictions(["a", "no", "b", "b", "no", "a"])
    ms = [metrics(f"toy.{kind}.s13.{variant}", f) for kind, variant, f in (
        ("k8a9", "base", worse), ("k8", "base", frame), ("k8a9d", "v", frame),
    )]  # fmt: skip
    summary = summary_table(ms, [worse, frame, frame], "base", PARAMS)
    f1 = summary[summary["metric"] == "micro_f1"].set_index(["variant", "chosen"])["difference"]
    assert f1["v", "diverse"] > 0
    assert varies(summary.query("annotated == 0 or chosen == 'diverse'"), "chosen") is False
    assert varies(summary, "chosen") is True


def test_a_baseline_that_reads_less_is_compared_within_one_llm():
    frame = predictions(["a", "a", "b", "b", "no", "a"])
    worse = predictions(["a", "no", "b", "b", "no", "a"])
    explained = [
        metrics(f"toy.{k}.s13.base", f, synthetic=0) for k, f in (("k8", worse), ("k8_q", frame))
    ]
    full = [metrics(f"toy.{k}.s13.v", frame) for k in ("k8", "k8_q")]
    golden = metrics("toy.k8.s13.golden", frame, synthetic=0, llm="none")
    summary = summary_table(
        [*explained, *full, golden], [worse, *[frame] * 4], "base", PARAMS
    ).set_index(["metric", "variant", "llm"])["difference"]["micro_f1"]
    assert summary["v", "default"] > 0 and summary["v", "q"] == 0
    assert pd.isna(summary["golden", "none"])  # which of the two is not said


def test_a_variant_that_reads_less_than_the_baseline_is_compared_with_its_only_setting():
    frame = predictions(["a", "a", "b", "b", "no", "a"])
    worse = predictions(["a", "no", "b", "b", "no", "a"])
    cells = [
        metrics("toy.k8.s13.whole", frame),
        metrics("toy.k8.s13.no_synthetic", worse, synthetic=0),
    ]
    summary = summary_table(cells, [frame, worse], "whole", PARAMS).set_index(["variant", "metric"])
    assert summary.loc[("no_synthetic", "micro_f1"), "difference"] < 0
    twice = [*cells, metrics("toy.k8x4.s13.whole", frame)]
    summary = summary_table(twice, [frame, worse, frame], "whole", PARAMS)
    assert summary["difference"].isna().all()  # with which of the two is not said


@pytest.mark.parametrize("synthetic_of_baseline", [0, 1])
def test_each_seed_is_paired_with_the_one_cell_of_the_baseline_that_has_read_as_much(
    synthetic_of_baseline,
):
    """A baseline that reads annotated rows without synthetic ones, and the other way round."""
    frames = [predictions(["a", "a", "b", "b", "no", "a"]), predictions(["a"] * 6)]
    ms, ps = [], []
    for seed in (13, 21, 42):
        for n, kind in enumerate(("k8a9", "k8a90")):
            for variant, frame, synthetic in (
                ("base", frames[n], synthetic_of_baseline),
                ("v", frames[1 - n], 1 - synthetic_of_baseline),
            ):
                ms.append(metrics(f"toy.{kind}.s{seed}.{variant}", frame, synthetic=synthetic))
                ps.append(frame)
    summary = summary_table(ms, ps, "base", PARAMS).set_index(["metric", "variant", "annotated"])
    apart = ms[0]["micro_f1"] - ms[2]["micro_f1"]
    for annotated, difference in ((9, -apart), (90, apart)):
        row = summary.loc[("micro_f1", "v", annotated)]
        assert row["difference"] == pytest.approx(difference) and row["difference_seeds"] == 3


def test_a_stale_cell_is_named_without_default_coordinates():
    ms = [metrics(f"toy.{k}.s13.v", predictions(["a"] * 6)) for k in ("k8", "k8n20_q")]
    for m in ms:
        m["stale"] = ["it is old"]
    with pytest.raises(IncompleteExperiment) as error:
        cells_table(ms)
    assert "toy, shots 8, synthetic 1, seed 13, v: it is old" in str(error.value)
    assert "noise 20, llm q, seed 13, v" in str(error.value)


def test_scores_that_other_packages_add_are_columns_and_rows(monkeypatch):
    def accuracy(rows):
        return 100 * sum(g == p for g, p in zip(rows.gold, rows.predicted, strict=True)) / 6

    more = {name: METRICS[name] for name in METRICS} | {"accuracy": Score(accuracy, "accuracy")}
    monkeypatch.setattr(tables, "METRICS", more)
    frame = predictions(["a", "b", "b", "b", "no", "a"])
    m = metrics("toy.k8.s13.tkre", frame)
    assert m["accuracy"] == pytest.approx(400 / 6)
    assert cells_table([m])["accuracy"].tolist() == [m["accuracy"]]
    summary = summary_table([m], [frame], "typ_marker", PARAMS).set_index("metric")
    assert summary["mean"]["accuracy"] == m["accuracy"]


def test_one_value_has_no_spread():
    assert std_over_seeds(pd.Series([40.0, 50.0])) == pytest.approx(50**0.5)  # of the sample
    assert pd.isna(std_over_seeds(pd.Series([40.0]))) and pd.isna(
        std_over_seeds(pd.Series([40.0, None]))
    )


CELL = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False, "annotated": 0,
        "chosen": "in_order", "llm": "default", "seed": 13, "variant": "tkre",
        "micro_f1": 50.0}  # fmt: skip


def test_cells_of_one_setting_differ_in_the_seed_alone():
    changes = [
        {},
        {"variant": "tkre_plus"},
        {"seed": 21},
        {"synthetic": 4},
        {"llm": "qwen"},
        {"noise": 20},
        {"seed": 42},
    ]
    groups = by_setting([CELL | change for change in changes])
    assert [numbers for _, numbers in groups] == [[0, 2, 6], [1], [3], [4], [5]]
    setting = {name: CELL[name] for name in CELL if name not in ("seed", "micro_f1")}
    assert groups[2][0] == setting | {"synthetic": 4}


READING = {"corpus": "toy", "bad_rows": [{}], "type_mismatches": []}
SHOTS = {
    "sample": "toy.k2.s13", "support": ["1", "2", "3"], "validation": ["4"],
    "shortfalls": {"support": {"knows": 1}, "validation": {}},
    "sentences_shared_with_test": {"support": [["1", "t"]], "validation": []},
    "passed_over": [["2", "u"], ["3", "v"]], "set_aside": [["4", "w"]],
}  # fmt: skip


def test_samples_table():
    tallies = {"knows": Tally(wanted=2, kept=1, rejects=[Reject("synthesis", *"abcde")])}
    yields = pd.concat([yield_frame("synthesis", tallies), yield_frame("explanation", {})])
    [row] = samples_table([READING], [SHOTS], [yields.assign(sample="toy.k2.s13")]).to_dict(
        "records"
    )
    assert (row["support"], row["short_in_support"], row["short_in_validation"]) == (
        3,
        "knows 1",
        "",
    )
    assert (row["bad_rows_left_out"], row["shared_with_test"]) == (1, 1)
    assert (row["passed_over"], row["set_aside"]) == (2, 1)
    assert (row["synthesis_kept"], row["synthesis_short"], row["synthesis_rejected"]) == (
        1, "knows 1", 1,
    )  # fmt: skip


def test_samples_table_without_knowledge():
    [row] = samples_table([READING], [SHOTS], []).to_dict("records")
    assert "synthesis_kept" not in row


def test_training_curves_have_mean_losses_and_validation_scores_by_epoch():
    mslm = pd.DataFrame({"epoch": [1, 1, 2], "step": [1, 2, 3], "mslm": [4.0, 2.0, 1.0]})
    finetuning = pd.DataFrame({"epoch": [1, 1, 2, 2], "step": range(4), "loss": 1.0,
                               "validation_f1": [None, 50, None, 60]})  # fmt: skip
    place = dict.fromkeys([*GROUP_KEYS, "seed", "variant"], "x")
    table = training_curves([place], [{"mslm": mslm, FINETUNING: finetuning}])
    values = table.set_index(["stage", "epoch"])["value"]
    assert values.loc["mslm"].tolist() == [3, 1]
    assert values.loc["fine-tuning"].tolist() == [50, 60]
    assert training_curves([place], [{FINETUNING: pd.DataFrame(columns=["epoch"])}]).empty


def test_scores_on_natural_text_are_columns_and_rows_where_there_are_any():
    ms, ps = experiment()
    natural = [
        metrics(f"toy.k8.s{m['seed']}.{m['variant']}", p) for m, p in zip(ms, ps, strict=True)
    ]
    both = [with_natural(m, n) for m, n in zip(ms, natural, strict=True)]
    cells = cells_table(both)
    assert list(cells)[-4:] == ["natural_precision", "natural_recall", "natural_f1", "natural_rows"]
    assert cells["natural_f1"].tolist() == cells["micro_f1"].tolist()
    summary = summary_table(both, ps, "typ_marker", PARAMS).set_index(["variant", "metric"])
    of_natural, of_test = (summary.loc[("tkre", name)] for name in ("natural_f1", "micro_f1"))
    assert (of_natural["mean"], of_natural["std"]) == (of_test["mean"], of_test["std"])
    assert ("tkre", "natural_rows") not in summary.index
    # Cells of a corpus without natural text beside them have none; alone, they have no column.
    mixed = cells_table([both[0], with_natural(ms[1], None)])
    assert mixed["natural_f1"].notna().tolist() == [True, False]
    assert list(cells_table(ms)) == cell_columns()
