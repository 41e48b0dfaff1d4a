"""Is one variant better than another? Paired bootstrap over test rows, averaged over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tkre.evaluation.metrics import Counts


def paired_difference(
    ours: Sequence[Counts],
    theirs: Sequence[Counts],
    *,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Interval of the difference of two variants' mean F1 over seeds.

    Each resample draws test rows with replacement, the same rows for both variants and all seeds,
    so what is compared is how they do on the same sentences. The spread over seeds is not in the
    interval; it is reported beside it.

    Args:
        ours: Counts of one variant, one per seed, over the same rows.
        theirs: Counts of the other, for the same seeds.
        resamples: How many.
        confidence: E.g. 0.95 for the 2.5th to the 97.5th percentile.
        seed: Of the resampling.

    Returns:
        Lower and upper end, in points of F1.

    Raises:
        ValueError: The numbers of seeds or rows differ.
    """
    if len(ours) != len(theirs) or not ours:
        raise ValueError(f"{len(ours)} seeds cannot be paired with {len(theirs)}")
    sizes = {len(c.gold) for c in (*ours, *theirs)}
    if len(sizes) != 1:
        raise ValueError(f"predictions over different numbers of rows: {sorted(sizes)}")
    size = sizes.pop()
    generator = np.random.default_rng(seed)
    weights = generator.multinomial(size, np.full(size, 1 / size), size=resamples).astype(float)
    differences = np.mean(
        [a.f1(weights) - b.f1(weights) for a, b in zip(ours, theirs, strict=True)], axis=0
    )
    tail = 100 * (1 - confidence) / 2
    low, high = np.percentile(differences, [tail, 100 - tail])
    return float(low), float(high)
