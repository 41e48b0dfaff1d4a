from __future__ import annotations

import pytest

from tests.conftest import instance
from tests.evaluation.test_trust import fit, predictions
from tkre.evaluation.calibrator import calibrate
from tkre.evaluation.error_analysis import COLUMNS, errors_table, sentences_of


def rows(frame):
    return [
        instance(f"<head>a{n}</head> and <tail>b</tail>", relation, id=i)
        for n, (i, relation) in enumerate(zip(frame["id"], frame["gold"], strict=True))
    ]


def test_all_wrong_rows_the_most_confident_first_with_calibrated_probabilities():
    frame, calibrator = predictions(200, noise=0.9), fit(predictions(200, seed=1))
    table = errors_table(rows(frame), frame, calibrator)
    wrong = frame[frame["gold"] != frame["predicted"]]
    assert 0 < len(table) == len(wrong) and set(table["id"]) == set(wrong["id"])
    assert table["probability"].is_monotonic_decreasing
    first = table.iloc[0]
    calibrated = calibrate(frame, calibrator, None).set_index("id").loc[first["id"]]
    assert first["probability"] == calibrated["probability"]
    assert first["gold_probability"] == pytest.approx(calibrated[f"p.{first['gold']}"])
    assert first["text"][first["head_start"] : first["head_end"]].startswith("a")
    assert first["text"][first["tail_start"] : first["tail_end"]] == "b"
    sentence = sentences_of(table)[0]
    assert (sentence.id, sentence.text) == (first["id"], first["text"])
    assert sentence.tail.of(sentence.text) == "b"


def test_without_an_error_there_is_an_empty_table():
    frame = predictions(20, noise=0.01)
    table = errors_table(rows(frame), frame, fit(predictions(50)))
    assert table.empty and list(table) == COLUMNS
