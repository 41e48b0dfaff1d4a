from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.evaluation.test_calibrator import fit, predictions
from tkre.evaluation.calibration_report import COVERAGES, calibration_table, score_calibration
from tkre.evaluation.metrics import micro_scores


def metrics(seed: int = 13, variant: str = "v", **place: object) -> dict[str, object]:
    grid = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False,
            "annotated": 0, "chosen": "in_order",
            "llm": "default"}  # fmt: skip
    return {**grid, "seed": seed, "variant": variant, "micro_f1": 0.0, **place}


def scores(rows: int = 1500, validation: int = 200, seed: int = 13, **settings: object):
    calibrator = fit(predictions(validation, seed=seed), **settings)
    return score_calibration(
        predictions(rows, negative=0.5, seed=seed + 1), calibrator, metrics(seed)
    )


def test_what_is_measured_on_the_scored_rows():
    scored = scores()
    assert scored["ece_after"] < scored["ece_before"]
    assert scored["nll_after"] < scored["nll_before"]
    assert (scored["rows"], scored["validation_rows"]) == (1500, 200)
    assert sum(b["rows"] for b in scored["reliability_after"]) == 1500
    assert len(scored["risks"]) == len(COVERAGES)
    assert scored["risks"][0] < scored["risks"][-1]
    easy, hard = scored["thresholds"]
    assert (easy["wanted"], hard["wanted"]) == (0.8, 0.95)
    assert easy["coverage"] > hard["coverage"] > 0 and hard["precision"] > easy["precision"]
    json.dumps(scored, allow_nan=False)


def test_f1_without_and_with_the_correction_for_the_share():
    frame, calibrator = predictions(1500, negative=0.5, seed=14), fit(predictions(200, seed=13))
    plain = score_calibration(frame, calibrator, metrics())
    gold, guessed = frame["gold"].tolist(), frame["predicted"].tolist()
    assert plain["micro_f1"] == micro_scores(gold, guessed, "none")["micro_f1"]
    assert plain["negative_share"] == pytest.approx(50, abs=4)
    # Off: what the estimated share would have given is reported all the same.
    assert plain["negative_share_corrected"] == plain["negative_share_estimated"]
    assert plain["negative_share_estimated"] == pytest.approx(50, abs=8)
    assert plain["micro_f1_corrected"] > plain["micro_f1"]
    given = score_calibration(frame, fit(predictions(200, seed=13), negative_share=0.5), metrics())
    assert given["negative_share_corrected"] == 50
    assert given["micro_f1"] == plain["micro_f1"]
    assert given["nll_after"] < plain["nll_after"]


def test_the_table_averages_over_seeds():
    both = [scores(), scores(seed=21)]
    [row] = calibration_table(both).to_dict("records")
    assert (row["corpus"], row["variant"], row["seeds"]) == ("toy", "v", 2)
    assert row["ece_after"] == pytest.approx(sum(s["ece_after"] for s in both) / 2)
    coverages = [s["thresholds"][0]["coverage"] for s in both]
    assert row["coverage_at_80"] == pytest.approx(sum(coverages) / 2)
    assert row["seeds_at_80"] == 2


def test_a_seed_without_a_threshold_answers_nothing_and_has_no_precision():
    one, none = scores(), scores(validation=0, seed=21)
    assert "no validation rows" in none["note"] and none["temperature"] == 1
    assert none["thresholds"][0] == {
        "wanted": 0.8, "confidence": None, "coverage": 0.0, "precision": None, "recall": 0.0,
    }  # fmt: skip
    json.dumps(none, allow_nan=False)
    [row] = calibration_table([one, none]).to_dict("records")
    assert row["seeds_at_80"] == 1
    assert row["precision_at_80"] == one["thresholds"][0]["precision"]
    assert row["coverage_at_80"] == one["thresholds"][0]["coverage"] / 2


def test_nothing_to_score():
    empty = scores(rows=0)
    assert empty["micro_f1"] is None and empty["aurc"] is None and empty["risks"] == []
    json.dumps(empty, allow_nan=False)
    [row] = calibration_table([empty]).to_dict("records")
    assert pd.isna(row["ece_before"]) and row["coverage_at_80"] == 0
    assert calibration_table([]).empty
