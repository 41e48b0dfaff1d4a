from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tkre.evaluation.predictions import (
    answers,
    gold_of,
    guesses_of,
    labels_of,
    prediction_frame,
    probabilities_of,
    sentences_of,
    with_probabilities,
    withheld,
)

LABELS = ["a", "b", "none"]
ROWS = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2]])


def test_there_and_back():
    frame = prediction_frame(["1", "2"], ["a", "a"], ["a", "none"], LABELS, ROWS)
    assert list(frame)[:5] == ["id", "sentence", "gold", "predicted", "probability"]
    assert sentences_of(frame) == ["1", "2"] == sentences_of(frame.drop(columns="sentence"))
    of_one, of_two = (
        prediction_frame(["1", "2"], ["a", "a"], ["a", "none"], LABELS, ROWS, texts)
        for texts in (["it", "it"], ["other", "it"])
    )
    first, second = sentences_of(of_one)
    # The same name where another seed lacks its first row.
    assert first == second == sentences_of(of_two)[1] != sentences_of(of_two)[0]
    assert frame["probability"].tolist() == [0.7, 0.2]
    assert labels_of(frame) == LABELS and np.array_equal(probabilities_of(frame), ROWS)
    assert gold_of(frame).tolist() == [0, 0] and guesses_of(frame).tolist() == [0, 2]
    confidence, correct = answers(frame, "none")
    assert confidence.tolist() == [0.7] and correct.tolist() == [True]
    assert len(answers(frame, None)[0]) == 2


def test_no_rows(tmp_path):
    frame = prediction_frame([], [], [], LABELS, np.zeros((0, 3)))
    frame.to_parquet(tmp_path / "none.parquet")
    read = pd.read_parquet(tmp_path / "none.parquet")
    assert labels_of(read) == LABELS and probabilities_of(read).shape == (0, 3)
    assert gold_of(read).shape == guesses_of(read).shape == (0,)
    assert [len(x) for x in answers(read, "none")] == [0, 0]
    assert with_probabilities(read, np.zeros((0, 3)), guesses_of(read)).shape == read.shape


def test_other_probabilities_leave_the_rows_as_they_were():
    frame = prediction_frame(["1", "2"], ["a", None], ["a", "b"], LABELS, ROWS)
    changed = with_probabilities(frame, ROWS[::-1], np.array([1, 2]))
    assert changed["predicted"].tolist() == ["b", "none"]
    assert changed["probability"].tolist() == [0.5, 0.1]
    assert frame["predicted"].tolist() == ["a", "b"]
    assert changed["gold"].tolist() == ["a", None]


def test_gold_labels_must_be_known():
    frame = prediction_frame(["1", "2"], ["a", None], ["a", "b"], LABELS, ROWS)
    with pytest.raises(ValueError, match="no probability of: None"):
        gold_of(frame)


def test_answers_that_are_not_sure_enough_are_withheld():
    probability, asserts = np.array([0.9, 0.4, 0.4]), np.array([True, True, False])
    assert withheld(probability, asserts, 0.8).tolist() == [False, True, False]
    assert not withheld(probability, asserts, 0.0).any()
    assert withheld(0.4, True, 0.8) and not withheld(0.8, True, 0.8)
