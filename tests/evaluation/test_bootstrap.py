from __future__ import annotations

import numpy as np
import pytest

from tkre.evaluation.bootstrap import Resampled, Resamples, interval, row_interval
from tkre.evaluation.metrics import Counts, counts, official_f1
from tkre.evaluation.params import IntervalParams

PARAMS = IntervalParams(resamples=500, seed=1)
ROWS = [f"row-{n}" for n in range(400)]
LABELS = ["a", "b", "c"]


def guesses(rng, gold, accuracy):
    return [g if rng.random() < accuracy else rng.choice(LABELS) for g in gold]


def runs(accuracy, seeds=3, rows=400, metric="micro", seed=0):
    """Counts of some seeds on the same rows."""
    rng = np.random.default_rng(seed)
    gold = list(np.random.default_rng(7).choice([*LABELS, "no"], size=rows))
    return [counts(gold, guesses(rng, gold, accuracy), "no", metric) for _ in range(seeds)]


def resampled(scored, params=PARAMS, rows=None):
    rows = rows or [range(len(c.gold)) for c in scored]
    resamples = Resamples(rows, params)
    return [resamples.f1(c, own) for c, own in zip(scored, rows, strict=True)]


def difference(ours, theirs, params=PARAMS):
    return interval(resampled(ours, params), params, resampled(theirs, params))


@pytest.mark.parametrize("metric", ["micro", "macro"])
def test_it_is_what_a_plain_implementation_gives(metric):
    params = IntervalParams(resamples=60, seed=3)
    rng = np.random.default_rng(0)
    gold = rng.choice([*LABELS, "no"], size=50)
    gold[0] = "d"  # in 36 of 100 resamples there is no such row
    ours, theirs = ([np.array(guesses(rng, gold, a)) for _ in range(3)] for a in (0.9, 0.6))
    drawn_rows, drawn_t = np.random.default_rng(3), np.random.default_rng([3, 3])
    drawn = drawn_rows.multinomial(50, np.full(50, 1 / 50), size=60)

    def mean_difference(rows):
        f1 = [
            [official_f1(gold[rows].tolist(), p[rows].tolist(), "no", metric) for p in seeds]
            for seeds in (ours, theirs)
        ]
        return np.subtract(*f1)

    error = mean_difference(np.arange(50)).std(ddof=1) / np.sqrt(3)
    values = [
        mean_difference(np.repeat(np.arange(50), times)).mean() + error * t
        for times, t in zip(drawn, drawn_t.standard_t(2, size=60), strict=True)
    ]
    of_both = [[counts(gold.tolist(), p.tolist(), "no", metric) for p in v] for v in (ours, theirs)]
    assert difference(*of_both, params) == pytest.approx(np.percentile(values, [2.5, 97.5]))


def coverage(seeds, over_seeds, over_rows, resample_seeds=False):
    """Share of 300 experiments whose interval holds the mean of the population, which is 0."""
    rng, params, held = np.random.default_rng(5), IntervalParams(resamples=300), 0
    for _ in range(300):
        effects = rng.normal(0, over_seeds, (seeds, 1)) + rng.normal(0, over_rows, (1, 100))
        values = effects + rng.normal(0, over_rows / 3, (seeds, 100))
        weights = rng.multinomial(100, np.full(100, 0.01), size=300)
        drawn = values @ weights.T / 100
        if resample_seeds:
            times = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=300)
            low, high = np.percentile((times.T * drawn).sum(axis=0) / seeds, [2.5, 97.5])
        else:
            of_seeds = zip(values.mean(axis=1), drawn, strict=True)
            low, high = interval([Resampled(*each) for each in of_seeds], params)
        held += low <= 0 <= high
    return held / 300


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize(("over_seeds", "over_rows"), [(1, 0.1), (1, 10), (0.1, 10)])
def test_intervals_hold_the_mean_of_a_population_of_seeds_and_rows(seeds, over_seeds, over_rows):
    assert coverage(seeds, over_seeds, over_rows) >= 0.93


def test_resampling_three_seeds_would_not():
    assert coverage(3, 1, 0.1, resample_seeds=True) < 0.82


def test_a_clear_difference_excludes_zero_and_holds_the_observed_one():
    ours, theirs = runs(0.9), runs(0.6)
    low, high = difference(ours, theirs)
    observed = np.mean([a.f1() - b.f1() for a, b in zip(ours, theirs, strict=True)])
    assert 0 < low < observed < high


def test_a_difference_is_paired_in_seeds_and_rows():
    ours = resampled(runs(0.7))
    assert interval(ours, PARAMS, ours) == (0, 0)
    # Seeds that are good and bad for both cancel out, unless they are paired with others.
    lucky = [
        Resampled(r.observed + m, r.drawn_B + m) for r, m in zip(ours, (0, 9, 20), strict=True)
    ]
    low, high = interval([Resampled(r.observed + 1, r.drawn_B + 1) for r in lucky], PARAMS, lucky)
    assert (low, high) == pytest.approx((1, 1))
    low, high = interval(lucky, PARAMS, lucky[::-1])
    assert high - low > 50


def test_the_variance_over_seeds_widens_it_and_more_seeds_narrow_it():
    def width(scores):
        low, high = interval([Resampled(s, np.full(2000, s)) for s in scores], IntervalParams())
        return high - low

    assert width([50.0]) == width([50.0, 50.0, 50.0]) == 0
    three = width([45.0, 50.0, 55.0])
    assert three == pytest.approx(2 * 4.303 * 5 / np.sqrt(3), rel=0.1)  # the t interval
    assert width([45.0, 45.0, 50.0, 55.0, 55.0]) < three / 1.5


def test_it_is_the_same_twice_and_wider_with_more_confidence():
    ours, theirs = runs(0.8), runs(0.7, seed=1)
    assert difference(ours, theirs) == difference(ours, theirs)
    wide, narrow = (
        difference(ours, theirs, IntervalParams(resamples=500, confidence=c)) for c in (0.99, 0.5)
    )
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_only_the_same_seeds_can_be_compared():
    with pytest.raises(ValueError, match="3 seeds cannot be paired with 2"):
        difference(runs(0.8), runs(0.7, seeds=2))


def test_a_seed_takes_the_drawn_rows_that_it_has():
    def only(scored, at):
        return Counts(scored.correct[at], scored.guessed[at], scored.gold[at])

    first, second = runs(0.9, seeds=2)
    without = [n for n in range(400) if n != 3]
    places = [*without, 3]  # rows are drawn from those of both, in the order of their appearance
    rows = [[ROWS[n] for n in without], ROWS]
    found = resampled([only(first, without), second], rows=rows)
    emptied = only(first, places)
    for members in (emptied.correct, emptied.guessed, emptied.gold):
        members[-1] = 0
    expected = resampled([emptied, only(second, places)])
    for one, other in zip(found, expected, strict=True):
        assert one.observed == pytest.approx(other.observed)
        assert one.drawn_B == pytest.approx(other.drawn_B)


def test_the_interval_of_one_seed_is_of_its_rows_and_narrower_with_more():
    def ends(rows: int) -> tuple[float, float, float]:
        [scored] = runs(0.8, seeds=1, rows=rows)
        found = row_interval(scored, range(len(scored.gold)), PARAMS)
        assert found == interval(resampled([scored]), PARAMS)
        return (*found, float(scored.f1()[0]))

    (low, high, few), (lower, higher, many) = ends(100), ends(2000)
    assert low < few < high and lower < many < higher
    assert higher - lower < (high - low) / 2


def test_pairs_of_a_sentence_are_drawn_together():
    rng = np.random.default_rng(0)
    gold = list(rng.choice([*LABELS, "no"], size=100))
    guessed = guesses(rng, gold, 0.7)
    once = counts(gold, guessed, "no", "micro")
    copied = counts(gold * 4, guessed * 4, "no", "micro")
    sentences = list(range(100))
    alone = row_interval(once, sentences, PARAMS)
    assert row_interval(copied, sentences * 4, PARAMS) == pytest.approx(alone)
    independent = row_interval(copied, range(400), PARAMS)
    assert independent[1] - independent[0] < 0.6 * (alone[1] - alone[0])


def test_without_a_row_a_score_has_no_interval():
    assert row_interval(counts([], [], "no", "micro"), [], PARAMS) is None
