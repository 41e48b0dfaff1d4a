"""Scores on raw text with all its pairs, most of them without a relation."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import instance
from tests.evaluation.test_calibration_report import metrics as place
from tests.evaluation.test_calibrator import fit
from tkre.core.instance import ANNOTATION_ID
from tkre.evaluation.bootstrap import micro_intervals
from tkre.evaluation.calibration_report import score_calibration
from tkre.evaluation.metrics import micro_scores
from tkre.evaluation.natural_text import natural_scores, natural_table
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.predictions import prediction_frame

REPORTING = ReportingParams(resamples=200)
LABELS = ["a", "b", "c", "none"]


def pair(number: int, relation: str, *, inverted: bool = False):
    row = instance(f"<head>Ada{number}</head> and <tail>Bo</tail> .", relation, id=f"{number}-1")
    return replace(row.inverted(), id=f"{number}-2", relation=relation) if inverted else row


# Sentence 1 holds a relation in one direction, 2 another one, 3 none.
ROWS = [
    pair(1, "a"), pair(1, "none", inverted=True), pair(2, "b"), pair(2, "none", inverted=True),
    pair(3, "none"), pair(3, "none", inverted=True),
]  # fmt: skip


def predicted(guesses, rows=ROWS):
    spread = np.full((len(rows), len(LABELS)), 0.05)
    spread[np.arange(len(rows)), [LABELS.index(g) for g in guesses]] = 0.85
    gold = [row.relation for row in rows]
    ids, texts = [row.id for row in rows], [row.text for row in rows]
    return prediction_frame(ids, gold, guesses, LABELS, spread, texts)


def test_false_assertions_by_kind():
    found = natural_scores(predicted(["a", "a", "c", "c", "a", "none"]), ROWS, "none")
    # 1-2 has the relation of its inverted pair; 2-1 another one than its own; 2-2, 3-1 have none.
    assert found["false_assertions"] == {"no_relation": 2, "inverted": 1, "other": 1}
    assert found["asserted"] == 5
    assert found["negative_share"] == pytest.approx(100 * 4 / 6)
    assert list(found["sentences"].values()) == [[1, 2, 1], [0, 2, 1], [0, 1, 0]]
    assert json.dumps(found)


def test_a_sentence_has_one_name_whichever_of_its_rows_a_seed_has():
    whole, part = (
        natural_scores(predicted(["a"] * len(rows), rows), rows, "none")["sentences"]
        for rows in (ROWS, ROWS[1:])
    )
    assert whole.keys() == part.keys()


def test_who_labelled_the_rows():
    frame = predicted(["none"] * 6)
    annotated = [replace(row, id=f"{ANNOTATION_ID}toy/{row.id}") for row in ROWS]
    assert natural_scores(frame, ROWS, "none")["labelled_by"] == "the corpus"
    assert natural_scores(frame, annotated, "none")["labelled_by"] == "a language model"
    nothing = natural_scores(frame.iloc[:0], [], "none")
    assert nothing["negative_share"] is None and nothing["asserted"] == 0


def test_intervals_hold_the_score_and_resample_sentences():
    counts = {f"s{n}": [n % 2, 1, 1] for n in range(40)}
    intervals = micro_intervals([counts], REPORTING)
    for low, high in intervals.values():
        assert low < 50 < high
    # Ten copies of every pair in its sentence say no more than one.
    tenfold = {name: [10 * n for n in each] for name, each in counts.items()}
    assert micro_intervals([tenfold], REPORTING) == intervals
    apart = {f"{name}-{n}": each for name, each in counts.items() for n in range(10)}
    narrow = micro_intervals([apart], REPORTING)
    assert all(
        narrow[k][1] - narrow[k][0] < (intervals[k][1] - intervals[k][0]) / 2 for k in narrow
    )
    assert micro_intervals([{"s": [0, 0, 3]}], REPORTING)["precision"] == (100, 100)


def cell(guesses, seed=13):
    frame = predicted(guesses)
    scores = micro_scores(frame["gold"], frame["predicted"], "none")
    metrics = place(seed) | {"rows": len(frame)} | scores | natural_scores(frame, ROWS, "none")
    record = fit(frame, fitted_on="natural")
    return metrics, score_calibration(frame, record, metrics)


def test_table_averages_over_seeds_and_says_what_is_kept():
    guesses = (["a", "a", "b", "none", "none", "none"], ["a", "none", "b", "none", "none", "none"])
    both = [cell(g, seed) for g, seed in zip(guesses, (13, 21), strict=True)]
    [row] = natural_table(*map(list, zip(*both, strict=True)), REPORTING).to_dict("records")
    assert (row["seeds"], row["rows"], row["labelled_by"]) == (2, 6, "the corpus")
    assert (row["fitted_on"], row["variant"]) == ("natural", "v")
    assert row["precision"] == pytest.approx((200 / 3 + 100) / 2) and row["recall"] == 100
    assert row["precision_low"] <= row["precision"] <= row["precision_high"]
    assert row["false_inverted"] == 0.5 and row["false_no_relation"] == 0
    kept = [scores["thresholds"][0] for _, scores in both]
    for name, column in (("kept", "coverage"), ("recall", "recall")):
        mean = np.mean([threshold[column] for threshold in kept])
        assert row[f"{name}_at_80"] == pytest.approx(mean)
    assert isinstance(row["f1_std"], float)


def test_a_cell_without_rows_has_no_score():
    empty = place() | {"rows": 0, "micro_precision": None, "micro_recall": None, "micro_f1": None}
    empty |= natural_scores(predicted(["none"] * 6).iloc[:0], [], "none")
    scores = score_calibration(predicted(["none"] * 6).iloc[:0], fit(predicted(["a"] * 6)), empty)
    [row] = natural_table([empty], [scores], REPORTING).to_dict("records")
    assert "f1" not in row and pd.isna(row["negative_share"]) and row["kept_at_80"] == 0
