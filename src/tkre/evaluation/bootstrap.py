"""Bootstrap over test rows: intervals of F1, and of paired differences over seeds."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import chain

import numpy as np

from tkre.evaluation.metrics import Counts, Floats


def paired_difference(
    ours: Sequence[Counts],
    theirs: Sequence[Counts],
    *,
    resamples: int,
    confidence: float,
    seed: int,
    rows: Sequence[Sequence[Hashable]] | None = None,
) -> tuple[float, float]:
    """Interval of the difference of two variants' mean F1 over seeds.

    Each resample draws test rows with replacement, the same rows for both variants and all seeds.
    The variance over seeds is not in the interval; it is reported beside it.

    Args:
        ours: Counts of one variant, one per seed.
        theirs: Counts of the other, for the same seeds, over the same rows.
        resamples: Number of resamples.
        confidence: E.g. 0.95 for the 2.5th to the 97.5th percentile.
        seed: Seed of the resampling.
        rows: Ids of the rows of each seed, where they differ (a test row in the support of a seed
            is not scored there); None if all seeds have the same rows.

    Returns:
        Lower and upper end, in points of F1.

    Raises:
        ValueError: The numbers of seeds or rows differ.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{len(ours)} seeds cannot be paired with {len(theirs)}")
    rows = rows or [range(len(c.gold)) for c in ours]
    sizes = {len(c.gold) for c in (*ours, *theirs)}
    counted = ([len(c.gold) for c in counts] for counts in (ours, theirs))
    if any([len(own) for own in rows] != lengths for lengths in counted):
        raise ValueError(f"predictions over different numbers of rows: {sorted(sizes)}")
    # Rows are drawn from those of all seeds; each seed takes the drawn ones that it has.
    places = {row: n for n, row in enumerate(dict.fromkeys(chain.from_iterable(rows)))}
    weights = _weights(len(places), resamples, seed)
    differences = []
    for own, a, b in zip(rows, ours, theirs, strict=True):
        drawn = weights[:, [places[row] for row in own]]
        differences.append(a.f1(drawn) - b.f1(drawn))
    return _middle(np.mean(differences, axis=0), confidence)


def paired_share(
    ours: Counts, theirs: Counts, *, resamples: int, confidence: float, seed: int
) -> tuple[float, float]:
    """Interval of one classifier's F1 as a share of another's, per cent.

    Args:
        ours: Counts of one.
        theirs: Counts of the other over the same rows; its F1 is not 0.
        resamples: Number of resamples; those in which the other's F1 is 0 are left out.
        confidence: E.g. 0.95 for the 2.5th to the 97.5th percentile.
        seed: Seed of the resampling.
    """
    weights = _weights(len(ours.gold), resamples, seed)
    part, whole = ours.f1(weights), theirs.f1(weights)
    return _middle(100 * part[whole > 0] / whole[whole > 0], confidence)


def interval(
    scored: Counts, *, resamples: int, confidence: float, seed: int
) -> tuple[float, float] | None:
    """Interval of one classifier's F1 over test rows; None without a row.

    Arguments as for ``paired_difference``.
    """
    size = len(scored.gold)
    return _middle(scored.f1(_weights(size, resamples, seed)), confidence) if size else None


def micro_intervals(
    scored: Sequence[Mapping[Hashable, Sequence[int]]],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> dict[str, tuple[float, float]]:
    """Intervals of mean precision, recall and F1 over seeds, where sentences are resampled.

    The pairs of a sentence are not independent of one another, so they are drawn together.

    Args:
        scored: For each seed, by sentence: its right predictions, predicted and gold relations.
        resamples: Number of resamples.
        confidence: E.g. 0.95 for the 2.5th to the 97.5th percentile.
        seed: Seed of the resampling.

    Returns:
        Ends of the intervals, per cent, of ``precision``, ``recall`` and ``f1``.
    """
    places = {s: n for n, s in enumerate(dict.fromkeys(chain.from_iterable(scored)))}
    weights = _weights(len(places), resamples, seed)
    means = np.zeros((3, resamples))
    for counts in scored:
        sums = weights[:, [places[s] for s in counts]] @ np.array(list(counts.values()), float)
        right, guessed, gold = sums.T
        for n, (part, whole) in enumerate(
            ((right, guessed), (right, gold), (2 * right, guessed + gold))
        ):
            # As ``metrics.micro_scores``: nothing predicted is a precision of 1.
            empty = 1.0 if n == 0 else 0.0
            share = np.divide(part, whole, out=np.full_like(part, empty), where=whole > 0)
            means[n] += 100 * share / len(scored)
    return dict(
        zip(("precision", "recall", "f1"), (_middle(m, confidence) for m in means), strict=True)
    )


def _weights(rows: int, resamples: int, seed: int) -> Floats:
    """Number of times that each row is drawn in each resample, B x N."""
    generator = np.random.default_rng(seed)
    drawn: Floats = generator.multinomial(rows, np.full(rows, 1 / rows), size=resamples).astype(
        float
    )
    return drawn


def _middle(values: Floats, confidence: float) -> tuple[float, float]:
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
