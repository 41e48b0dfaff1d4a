"""Probabilities for rows where the negative relation is more, or less, frequent than in training.

K rows per relation say that the negative relation is one of R labels; in a text most pairs have
it. If only the shares differ, Bayes' rule gives the probabilities for the other share (Saerens,
Latinne and Decaestecker 2002). The positive relations keep their shares among each other: to
estimate all of them is too much for what a few shots can tell apart.
"""

from __future__ import annotations

import numpy as np

from tkre.evaluation.metrics import Floats

_STEPS, _PRECISE = 10_000, 1e-9


def with_share(probabilities_NR: Floats, negative: int, trained: float, share: float) -> Floats:
    """Probabilities for another share of the negative relation.

    Args:
        probabilities_NR: N x R, calibrated for rows with the share ``trained``.
        negative: Column of the negative relation.
        trained: 0 < trained < 1.
        share: 0 < share < 1.
    """
    factors_R = np.full(probabilities_NR.shape[1], (1 - share) / (1 - trained))
    factors_R[negative] = share / trained
    weighed_NR = probabilities_NR * factors_R
    result: Floats = weighed_NR / weighed_NR.sum(axis=1, keepdims=True)
    return result


def estimate_share(probabilities_NR: Floats, negative: int, trained: float) -> float:
    """The share of the negative relation among rows without labels, by EM.

    The share under which the rows are likeliest: the mean corrected probability of the negative
    relation, corrected with that mean, until it stays. One row of either kind is added, so that
    the share is never 0 or 1, and ``trained`` or near it where there are few rows.

    It holds only if the new negative rows are of the kind that was trained on. Where they are not
    (a schema's "other" in open text) the estimate is too low; a known share is better.

    Args:
        probabilities_NR: N x R, calibrated for rows with the share ``trained``.
        negative: Column of the negative relation.
        trained: 0 < trained < 1.
    """
    share = trained
    for _ in range(_STEPS):
        corrected_N = with_share(probabilities_NR, negative, trained, share)[:, negative]
        new = (float(corrected_N.sum()) + 2 * trained) / (len(corrected_N) + 2)
        if abs(new - share) < _PRECISE:
            break
        share = new
    return share
