from __future__ import annotations

import numpy as np
import pytest

from tkre.evaluation import bootstrap
from tkre.evaluation.bootstrap import paired_difference
from tkre.evaluation.metrics import Counts, counts


def predictions(rng, gold, accuracy):
    return [g if rng.random() < accuracy else rng.choice(["a", "b", "c"]) for g in gold]


def runs(accuracy, seeds=3, rows=400):
    rng = np.random.default_rng(0)
    gold = list(rng.choice(["a", "b", "c", "no"], size=rows))
    return [counts(gold, predictions(rng, gold, accuracy), "no", "micro") for _ in range(seeds)]


def interval(ours, theirs, **options):
    return paired_difference(
        ours, theirs, **({"resamples": 500, "confidence": 0.95, "seed": 1} | options)
    )


def test_a_clear_difference_excludes_zero_and_holds_the_observed_one():
    ours, theirs = runs(0.9), runs(0.6)
    low, high = interval(ours, theirs)
    observed = np.mean([a.f1() - b.f1() for a, b in zip(ours, theirs, strict=True)])
    assert 0 < low < observed < high


def test_the_same_predictions_differ_by_nothing():
    ours = runs(0.7)
    assert interval(ours, ours) == (0, 0)


def test_it_is_the_same_twice_and_wider_with_more_confidence():
    ours, theirs = runs(0.8), runs(0.7)
    assert interval(ours, theirs) == interval(ours, theirs)
    wide, narrow = (interval(ours, theirs, confidence=c) for c in (0.99, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_only_what_is_paired_can_be_compared():
    with pytest.raises(ValueError, match="3 seeds cannot be paired with 2"):
        interval(runs(0.8), runs(0.7, seeds=2))
    with pytest.raises(ValueError, match="different numbers of rows"):
        interval(runs(0.8), runs(0.7, rows=300))


def test_seeds_may_have_rows_of_their_own():
    ours, theirs = runs(0.9), runs(0.6)
    same = interval(ours, theirs)
    names = [f"row-{n}" for n in range(400)]
    assert interval(ours, theirs, rows=[names] * 3) == same
    # One seed lacks a row: close to the same, and not refused.
    lacking = [Counts(c.correct[1:], c.guessed[1:], c.gold[1:]) for c in (ours[0], theirs[0])]
    rows = [names[1:], names, names]
    near = interval([lacking[0], *ours[1:]], [lacking[1], *theirs[1:]], rows=rows)
    assert near == pytest.approx(same, abs=1)
    with pytest.raises(ValueError, match="different numbers of rows"):
        interval([lacking[0], *ours[1:]], theirs, rows=rows)


def test_the_interval_of_a_score_holds_it_and_is_narrower_with_more_rows():
    def ends(rows: int) -> tuple[float, float, float]:
        [scored] = runs(0.8, seeds=1, rows=rows)
        found = bootstrap.interval(scored, resamples=500, confidence=0.95, seed=1)
        return (*found, float(scored.f1()[0]))

    (low, high, few), (lower, higher, many) = ends(100), ends(2000)
    assert low < few < high and lower < many < higher
    assert higher - lower < (high - low) / 2


def test_without_a_row_a_score_has_no_interval():
    nothing = counts([], [], "no", "micro")
    assert bootstrap.interval(nothing, resamples=10, confidence=0.95, seed=1) is None
