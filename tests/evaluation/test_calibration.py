from __future__ import annotations

import numpy as np
import pytest

from tkre.evaluation.calibration import (
    BINS,
    MOST,
    estimate_share,
    expected_calibration_error,
    fit_temperature,
    fit_temperature_and_bias,
    likeliest,
    negative_log_likelihood,
    reliability,
    tempered,
    why_unfitted,
    with_share,
)

RELATIONS, NEGATIVE = 5, 2
TRAINED = 1 / RELATIONS


def drawn(rows: int, temperature: float, seed: int = 0, relations: int = 6):
    """Probabilities of a model that is too sure by a temperature, and labels from the true ones."""
    generator = np.random.default_rng(seed)
    true = generator.dirichlet(np.full(relations, 0.5), rows)
    gold = np.array([generator.choice(relations, p=row) for row in true])
    return tempered(true, 1 / temperature), gold


@pytest.mark.parametrize("temperature", [0.6, 1.0, 2.5])
def test_a_known_temperature_is_found(temperature):
    assert fit_temperature(*drawn(4000, temperature)) == pytest.approx(temperature, rel=0.06)


def test_no_other_temperature_makes_the_gold_labels_likelier():
    probabilities, gold = drawn(120, 2.0, seed=1)
    best = fit_temperature(probabilities, gold)
    assert best == fit_temperature(probabilities, gold)

    def loss(temperature):
        return negative_log_likelihood(tempered(probabilities, temperature), gold)

    assert all(loss(best) <= loss(best * factor) for factor in (0.5, 0.9, 0.99, 1.01, 1.1, 2))


@pytest.mark.parametrize("seed", range(5))
def test_the_temperature_equals_that_of_bisection(seed):
    """To 1e-9, as pinned: bisection of the slope of the likelihood in log T."""
    probabilities, gold = drawn(60, 1.7, seed)
    low, high = np.log(0.1), np.log(100)
    logs = np.log(probabilities)
    for _ in range(60):
        middle = (low + high) / 2
        expected = (tempered(probabilities, np.exp(middle)) * logs).sum(axis=1)
        slope = (expected - logs[np.arange(len(gold)), gold]).mean()
        low, high = (middle, high) if slope > 0 else (low, middle)
    assert fit_temperature(probabilities, gold) == pytest.approx(np.exp(low), rel=1e-9)


def test_what_is_ruled_out_stays_out_and_the_order_stays():
    row = np.array([[0.7, 0.0, 0.2, 0.1]])
    mild, harsh = tempered(row, 4), tempered(row, 0.25)
    assert mild[0, 1] == harsh[0, 1] == 0
    assert mild.sum() == harsh.sum() == pytest.approx(1)
    assert mild[0].argsort().tolist() == harsh[0].argsort().tolist() == row[0].argsort().tolist()
    assert mild[0, 0] < 0.7 < harsh[0, 0]
    assert tempered(row, 1) == pytest.approx(row)


def test_rows_whose_gold_label_is_excluded_do_not_affect_the_temperature():
    probabilities, gold = drawn(300, 2.0)
    ruled_out = np.vstack([probabilities, [[0.0, 1.0, 0, 0, 0, 0]]])
    with_it = fit_temperature(ruled_out, np.append(gold, 0))
    assert with_it == fit_temperature(probabilities, gold)
    assert np.isfinite(negative_log_likelihood(ruled_out, np.append(gold, 0)))
    fitted = fit_temperature_and_bias(probabilities, gold, NEGATIVE)
    assert fit_temperature_and_bias(ruled_out, np.append(gold, 0), NEGATIVE) == fitted
    assert fitted[1] != 0


@pytest.mark.parametrize(
    ("probabilities", "gold", "reason"),
    [
        (np.zeros((0, 3)), [], "no validation rows"),
        ([[0.9, 0.1], [0.2, 0.8]], [0, 1], "every validation row that can be right is right"),
        ([[0.9, 0.1], [0.2, 0.8], [1.0, 0.0]], [0, 1, 1], "that can be right is right"),
        ([[1.0, 0.0], [1.0, 0.0]], [1, 1], "every gold label has probability 0"),
    ],
)
def test_unsuitable_rows_leave_probabilities_as_they_are(probabilities, gold, reason):
    probabilities, gold = np.array(probabilities), np.array(gold, dtype=int)
    assert fit_temperature(probabilities, gold) == 1
    assert reason in why_unfitted(probabilities, gold)


def test_bounds_hold_where_labels_are_against_the_probabilities():
    probabilities = np.tile([0.6, 0.4], (10, 1))
    assert fit_temperature(probabilities, np.ones(10, dtype=int)) == MOST


def test_the_error_of_perfect_probabilities_is_noise_and_of_sure_ones_is_not():
    probabilities, gold = drawn(4000, 1.0)
    assert expected_calibration_error(*likeliest(probabilities, gold)) < 0.03
    sure, gold = drawn(4000, 3.0)
    mended = tempered(sure, fit_temperature(sure, gold))
    assert expected_calibration_error(*likeliest(sure, gold)) > 0.15
    assert expected_calibration_error(*likeliest(mended, gold)) < 0.03


def test_the_error_by_hand():
    confidence, correct = np.array([0.62, 0.64, 0.9, 1.0]), np.array([True, False, True, True])
    # One bin of two rows (0.6 to 0.667), right half of the time; 0.9 and 1 are bins of their own.
    assert expected_calibration_error(confidence, correct) == pytest.approx(
        (2 * abs(0.63 - 0.5) + 0.1 + 0) / 4
    )
    assert expected_calibration_error(np.array([]), np.array([], dtype=bool)) is None


def test_every_row_is_in_one_bin():
    confidence = np.array([0.0, 1e-9, 1 / BINS, 0.5, 1.0])
    bins = reliability(confidence, np.ones(5, dtype=bool))
    assert len(bins) == BINS and bins["rows"].sum() == 5
    assert bins["rows"].iloc[0] == 3 and bins["rows"].iloc[-1] == 1


def test_nothing_to_measure():
    nothing = np.zeros((0, 3)), np.zeros(0, dtype=int)
    assert negative_log_likelihood(*nothing) is None
    assert [len(x) for x in likeliest(*nothing)] == [0, 0]
    assert tempered(nothing[0], 2).shape == (0, 3)


def world(share: float, rows: int = 6000, seed: int = 0):
    """Exact probabilities of balanced training, for rows of which ``share`` are negative.

    Every relation is a Gaussian on a line, so Bayes' rule is known.
    """
    generator = np.random.default_rng(seed)
    shares = np.full(RELATIONS, (1 - share) / (RELATIONS - 1))
    shares[NEGATIVE] = share
    gold = generator.choice(RELATIONS, size=rows, p=shares)
    x = gold + generator.normal(0, 0.7, rows)
    densities = np.exp(-((x[:, None] - np.arange(RELATIONS)) ** 2) / (2 * 0.7**2))
    return densities / densities.sum(axis=1, keepdims=True), gold


@pytest.mark.parametrize("share", [0.05, 0.2, 0.6, 0.9])
def test_em_finds_the_share(share):
    probabilities, _ = world(share)
    assert estimate_share(probabilities, NEGATIVE, TRAINED) == pytest.approx(share, abs=0.03)


def test_the_right_share_makes_probabilities_better():
    probabilities, gold = world(0.7)
    losses = {
        share: negative_log_likelihood(with_share(probabilities, NEGATIVE, TRAINED, share), gold)
        for share in (TRAINED, 0.5, 0.7, 0.85)
    }
    assert min(losses, key=losses.get) == 0.7
    corrected = with_share(probabilities, NEGATIVE, TRAINED, 0.7)
    right = [(p.argmax(axis=1) == gold).mean() for p in (corrected, probabilities)]
    assert right[0] > right[1]
    assert corrected.sum(axis=1) == pytest.approx(1)


def test_the_share_of_training_changes_nothing():
    probabilities, _ = world(0.5, rows=50)
    assert with_share(probabilities, NEGATIVE, TRAINED, TRAINED) == pytest.approx(probabilities)


def test_positive_relations_keep_their_shares_among_each_other():
    row = np.array([[0.4, 0.1, 0.3, 0.2, 0.0]])
    [corrected] = with_share(row, NEGATIVE, TRAINED, 0.6)
    assert corrected[0] / corrected[1] == pytest.approx(4)
    assert corrected[NEGATIVE] > 0.3 and corrected[4] == 0


def test_a_few_rows_do_not_say_all_or_nothing():
    nothing = np.zeros((0, RELATIONS))
    assert estimate_share(nothing, NEGATIVE, TRAINED) == pytest.approx(TRAINED)
    certain = np.eye(RELATIONS)[[0, 1, 3]]
    assert 0 < estimate_share(certain, NEGATIVE, TRAINED) < TRAINED
    negative = np.eye(RELATIONS)[[NEGATIVE] * 3]
    assert TRAINED < estimate_share(negative, NEGATIVE, TRAINED) < 1
