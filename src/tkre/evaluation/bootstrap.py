"""Intervals over seeds and test rows: of F1, and of paired differences between variants.

A score of S seeds on N rows varies in two ways. Another test set would have other sentences: they
are resampled with replacement (bootstrap), each with all its rows, since the pairs of a sentence
are not independent of one another. Another experimenter would draw other seeds, with other
K-shot sets and other weights.

*Crossed, not nested.* All seeds are scored on the same test rows, so each resample draws the rows
once, for all seeds and for both variants (Owen 2007, The pigeonhole bootstrap, Annals of Applied
Statistics 1(2)). Rows drawn anew within each seed, as for pupils within schools, would average
the variance of the rows away.

*Student's t over seeds.* Three seeds cannot stand for all seeds by resampling: the mean of a
resample never leaves their range, which holds the mean of all seeds three times in four
(Hesterberg 2015, What teachers should know about the bootstrap, The American Statistician 69(4)).
Each resample therefore adds t x s / sqrt(S): s is the sample standard deviation of the S scores
(differences, if two variants are compared), t is drawn from Student's distribution with S - 1
degrees of freedom. Where rows make no difference this is the t interval over seeds, with one seed
the bootstrap of rows. ``tests/evaluation/test_bootstrap.py`` has the coverage of both ways.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
import numpy.typing as npt

from tkre.evaluation.metrics import Counts, Floats
from tkre.evaluation.params import IntervalParams

Interval = tuple[float, float]


@dataclass(frozen=True)
class Resampled:
    """A score of one seed on all its rows, and on the B resamples of them."""

    observed: float
    drawn_B: Floats


class Resamples:
    """Resamples of test sentences, the same ones for every seed and every variant.

    A row that a seed does not have (it is in its support) counts nothing there when its sentence is
    drawn.

    Args:
        sentences: Names of the sentences of the rows of each seed.
        params: Level and resampling.
    """

    def __init__(self, sentences: Iterable[Sequence[Hashable]], params: IntervalParams) -> None:
        self.params = params
        names = dict.fromkeys(chain.from_iterable(sentences))
        self._places = {name: n for n, name in enumerate(names)}

    def f1(self, scored: Counts, sentences: Sequence[Hashable]) -> Resampled:
        """F1 of one seed, from the counts of its rows and the names of their sentences."""
        weights = _weights(len(self._places), self.params)
        places = [self._places[name] for name in sentences]
        drawn = weights if places == list(range(len(self._places))) else weights[:, places]
        return Resampled(float(scored.f1()[0]), scored.f1(drawn))


def interval(
    ours: Sequence[Resampled], params: IntervalParams, baseline: Sequence[Resampled] = ()
) -> Interval:
    """Interval of the mean over seeds, or of its difference to that of another variant.

    Args:
        ours: Scores of a variant, one per seed.
        params: Level and resampling.
        baseline: Scores of the other variant on the same resamples, for the same seeds.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: The numbers of seeds differ.
    """
    observed, drawn = np.array([s.observed for s in ours]), np.array([s.drawn_B for s in ours])
    if baseline:
        if len(ours) != len(baseline):
            raise ValueError(f"{len(ours)} seeds cannot be paired with {len(baseline)}")
        observed = observed - [s.observed for s in baseline]
        drawn = drawn - [s.drawn_B for s in baseline]
    seeds, means_B = len(ours), drawn.mean(axis=0)
    if seeds > 1:
        generator = np.random.default_rng([params.seed, seeds])
        error = observed.std(ddof=1) / np.sqrt(seeds)
        means_B = means_B + error * generator.standard_t(seeds - 1, size=len(means_B))
    least = -100.0 if baseline else 0.0  # a score of few seeds may not leave its scale
    return _middle(means_B.clip(least, 100), params.confidence)


def row_interval(
    scored: Counts, sentences: Sequence[Hashable], params: IntervalParams
) -> Interval | None:
    """Interval of the F1 of one classifier over the sentences of its rows; None without a row."""
    if not sentences:
        return None
    return interval([Resamples([sentences], params).f1(scored, sentences)], params)


def paired_share(
    ours: Counts, theirs: Counts, sentences: Sequence[Hashable], params: IntervalParams
) -> Interval:
    """Interval of one classifier's F1 as a share of another's, per cent.

    Args:
        ours: Counts of one.
        theirs: Counts of the other over the same rows; its F1 is not 0.
        sentences: Names of the sentences of these rows.
        params: Level and resampling; resamples in which the other's F1 is 0 are left out.
    """
    resamples = Resamples([sentences], params)
    part, whole = (resamples.f1(scored, sentences).drawn_B for scored in (ours, theirs))
    return _middle(100 * part[whole > 0] / whole[whole > 0], params.confidence)


def micro_intervals(
    scored: Sequence[Mapping[Hashable, Sequence[int]]], params: IntervalParams
) -> dict[str, Interval]:
    """Intervals of mean precision, recall and F1 over seeds, where sentences are resampled.

    The pairs of a sentence are not independent of one another, so they are drawn together.

    Args:
        scored: For each seed, by sentence: its right predictions, predicted and gold relations.
        params: Level and resampling.

    Returns:
        Ends of the intervals, per cent, of ``precision``, ``recall`` and ``f1``.
    """
    places = {s: n for n, s in enumerate(dict.fromkeys(chain.from_iterable(scored)))}
    weights = _weights(len(places), params)
    observed, drawn = [], []
    for counts in scored:
        summed = np.zeros((len(places), 3))
        summed[[places[sentence] for sentence in counts]] = list(counts.values())
        observed.append(_micro(summed.sum(axis=0, keepdims=True))[:, 0])
        drawn.append(_micro(weights @ summed))
    return {
        name: interval(
            [Resampled(o[n], d[n]) for o, d in zip(observed, drawn, strict=True)], params
        )
        for n, name in enumerate(("precision", "recall", "f1"))
    }


def _micro(sums_B3: Floats) -> Floats:
    """Precision, recall and F1 (3 x B) from sums of right, predicted and gold relations."""
    right, guessed, gold = sums_B3.T
    shares = [
        # As ``metrics.micro_scores``: nothing predicted is a precision of 1.
        np.divide(part, whole, out=np.full_like(part, empty), where=whole > 0)
        for part, whole, empty in (
            (right, guessed, 1.0), (right, gold, 0.0), (2 * right, guessed + gold, 0.0),
        )
    ]  # fmt: skip
    return 100 * np.stack(shares)


def _weights(sentences: int, params: IntervalParams) -> npt.NDArray[np.float32]:
    """Number of times that each sentence is drawn in each resample, B x N."""
    return _drawn(sentences, params.resamples, params.seed)


@lru_cache(maxsize=4)  # every figure of a table draws the same sentences
def _drawn(rows: int, resamples: int, seed: int) -> npt.NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(rows, np.full(rows, 1 / rows), size=resamples).astype(np.float32)
    drawn.flags.writeable = False
    return drawn


def _middle(values: Floats, confidence: float) -> Interval:
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
