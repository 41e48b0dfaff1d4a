from __future__ import annotations

import numpy as np
import pytest

from tkre.evaluation.selective import (
    area_under,
    attained,
    risk_coverage,
    risks_at,
    threshold_for_precision,
)


def draws(rows: int, seed: int = 0):
    """Calibrated confidences, and whether each answer is right."""
    generator = np.random.default_rng(seed)
    confidence = generator.beta(4, 1.5, rows)
    return confidence, generator.random(rows) < confidence


def test_the_curve_by_hand():
    curve = risk_coverage(np.array([0.9, 0.5, 0.7, 0.7]), np.array([True, False, True, False]))
    assert curve["threshold"].tolist() == [0.9, 0.7, 0.5]
    assert curve["coverage"].tolist() == [0.25, 0.75, 1]
    assert curve["risk"].tolist() == pytest.approx([0, 1 / 3, 0.5])
    assert area_under(curve) == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 / 2)
    assert risks_at(curve, np.array([0.1, 0.25, 0.3, 1])) == pytest.approx([0, 0, 1 / 3, 0.5])


def test_coverage_grows_as_the_threshold_falls():
    confidence, correct = draws(500)
    curve = risk_coverage(confidence, correct)
    assert (curve["coverage"].diff().dropna() > 0).all()
    assert (curve["threshold"].diff().dropna() < 0).all()
    assert curve["coverage"].iloc[-1] == 1
    assert curve["risk"].iloc[-1] == pytest.approx(1 - correct.mean())


def test_the_order_of_equal_answers_does_not_matter():
    confidence, correct = np.full(6, 0.8), np.array([True, True, False, True, False, False])
    one, other = risk_coverage(confidence, correct), risk_coverage(confidence, correct[::-1])
    assert one.equals(other) and area_under(one) == 0.5


def test_a_good_order_has_less_area_than_a_bad_one():
    confidence, correct = draws(500)
    good, bad = (area_under(risk_coverage(c, correct)) for c in (confidence, 1 - confidence))
    assert good < 1 - correct.mean() < bad


@pytest.mark.parametrize("wanted", [0.7, 0.8, 0.9])
@pytest.mark.parametrize("assurance", [0.5, 0.8, 0.95])
def test_a_threshold_keeps_its_precision_on_the_rows_it_was_chosen_on(wanted, assurance):
    confidence, correct = draws(1500)
    threshold = threshold_for_precision(confidence, correct, wanted, assurance=assurance)
    coverage, precision = attained(confidence, correct, threshold)
    assert threshold >= wanted and coverage > 0
    assert precision >= wanted


def test_on_other_rows_it_keeps_it_too():
    kept = []
    for seed in range(40):
        threshold = threshold_for_precision(*draws(130, seed), 0.9, assurance=0.8)
        if threshold is not None:
            kept.append(attained(*draws(3000, 1000 + seed), threshold)[1] >= 0.9)
    assert len(kept) > 20 and np.mean(kept) > 0.9


def test_more_assurance_and_more_precision_give_fewer_answers():
    confidence, correct = draws(400)
    correct = correct & (confidence > 0.75)  # below, all are wrong

    def threshold(wanted, assurance):
        return threshold_for_precision(confidence, correct, wanted, assurance=assurance)

    assert threshold(0.8, 0.5) <= threshold(0.8, 0.9)
    assert threshold(0.8, 0.8) < threshold(0.9, 0.8)


def test_a_few_rows_support_no_high_precision():
    right = np.ones(5, dtype=bool)
    assert threshold_for_precision(np.full(5, 0.99), right, 0.9, assurance=0.8) is None
    right = np.ones(50, dtype=bool)
    assert threshold_for_precision(np.full(50, 0.99), right, 0.9, assurance=0.8) == 0.99
    assert threshold_for_precision(np.array([]), right[:0], 0.9, assurance=0.8) is None
    wrong = np.zeros(50, dtype=bool)
    assert threshold_for_precision(np.full(50, 0.99), wrong, 0.5, assurance=0.5) is None


def test_rows_that_will_be_more_frequent_count_more():
    confidence, correct = draws(400)
    heavy = np.where(correct, 1.0, 3.0)
    plain = threshold_for_precision(confidence, correct, 0.8, assurance=0.8)
    shifted = threshold_for_precision(confidence, correct, 0.8, assurance=0.8, weights_N=heavy)
    assert shifted > plain
    same = threshold_for_precision(
        confidence, correct, 0.8, assurance=0.8, weights_N=np.full(400, 7.0)
    )
    assert same == plain


def test_without_a_threshold_nothing_is_answered():
    confidence, correct = draws(10)
    assert attained(confidence, correct, None) == (0, None)
    assert attained(confidence, correct, 1.1) == (0, None)
    assert attained(confidence[:0], correct[:0], 0.5) == (0, None)
    assert area_under(risk_coverage(confidence[:0], correct[:0])) is None


def test_rows_of_the_same_text_are_believed_together_with_their_probabilities():
    def threshold(confidence, correct, wanted=0.9):
        return threshold_for_precision(
            np.array(confidence), np.array(correct), wanted, assurance=0.8, same_text=True
        )

    few, right = [0.97, 0.95, 0.93, 0.6], [True, True, True, False]
    assert threshold_for_precision(np.array(few), np.array(right), 0.9, assurance=0.8) is None
    assert threshold(few, right) == 0.9  # three of three do not contradict 90 %
    # Half wrong below 0.95: those are withheld, the surer ones are not.
    confidence = [0.99] * 20 + [0.92] * 20
    assert threshold(confidence, [True] * 20 + [True, False] * 10) == 0.99
    assert threshold(confidence, [False] * 40) is None
    assert threshold([0.6, 0.7], [True, True]) is None  # none is as probable as wanted
    # Surer answers make up for one that is less probable, but not for one twice as doubtful.
    assert threshold([0.99, 0.99, 0.85], [True, True, True]) == 0.85
    assert threshold([0.99, 0.99, 0.99, 0.79], [True, True, True, True]) == 0.9
    # By their probabilities alone 0.82 would do; one of these answers is wrong.
    assert threshold([0.99] * 8 + [0.82], [True] * 8 + [False]) == 0.9
