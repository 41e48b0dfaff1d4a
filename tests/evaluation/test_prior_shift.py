from __future__ import annotations

import numpy as np
import pytest

from tkre.evaluation.calibration import estimate_share, negative_log_likelihood, with_share

RELATIONS, NEGATIVE = 5, 2
TRAINED = 1 / RELATIONS


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
