"""Whether what is said to be likely by 0.8 is right in eight of ten cases, and what mends it.

Temperature scaling (Guo et al. 2017) has one number, so a few validation rows can tell it: every
probability becomes ``p^(1/T)``, and rows are normalised again. It changes no label. Calibration is
measured on the likeliest label of a row, since it is a property of the probabilities and not of
the rule that draws a decision from them.

Probabilities for rows where the negative relation is more, or less, frequent than in training.

K rows per relation say that the negative relation is one of R labels; in a text most pairs have
it. If only the shares differ, Bayes' rule gives the probabilities for the other share (Saerens,
Latinne and Decaestecker 2002). The positive relations keep their shares among each other: to
estimate all of them is too much for what a few shots can tell apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tkre.evaluation.metrics import Floats

if TYPE_CHECKING:
    import pandas as pd


Numbers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

BINS = 15  # of equal width, as in most papers; bins without a row count nothing
LEAST, MOST = 0.1, 100.0  # the surest and the most doubtful that a temperature may make it
_FLOOR = 1e-12  # what a gold label that was ruled out counts as; 28 nats
_HALVINGS = 60


def tempered(probabilities_NR: Floats, temperature: float) -> Floats:
    """``p^(1/T)``, normalised; what is 0 stays 0 and the order within a row stays.

    Args:
        probabilities_NR: N x R, rows sum to 1.
        temperature: T; above 1 makes the probabilities less sure.
    """
    logs_NR = _logs(probabilities_NR) / temperature
    powers_NR = np.exp(logs_NR - logs_NR.max(axis=1, keepdims=True, initial=-np.inf))
    result: Floats = powers_NR / powers_NR.sum(axis=1, keepdims=True)
    return result


def fit_temperature(probabilities_NR: Floats, gold_N: Numbers) -> float:
    """The temperature under which the gold labels are likeliest.

    The negative log-likelihood is convex in ``b = 1/T``, so its slope, the mean over rows of
    ``E[log p] - log p_gold`` under the tempered row, crosses zero once and bisection finds where.

    Args:
        probabilities_NR: N x R, of rows that were not trained on.
        gold_N: Column of each row's gold label. A row whose gold label has probability 0 (ruled
            out by its types) has that at any temperature, so it says nothing.

    Returns:
        T from ``LEAST`` to ``MOST``; 1 where the rows cannot tell it (``why_unfitted``).
    """
    if why_unfitted(probabilities_NR, gold_N):
        return 1.0
    told_N = probabilities_NR[np.arange(len(gold_N)), gold_N] > 0
    rows_NR, gold_N = probabilities_NR[told_N], gold_N[told_N]
    logs_NR = _logs(rows_NR)
    of_gold_N = logs_NR[np.arange(len(gold_N)), gold_N]
    finite_NR = np.where(np.isfinite(logs_NR), logs_NR, 0.0)
    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        expected_N = (tempered(rows_NR, np.exp(middle)) * finite_NR).sum(axis=1)
        # The slope in 1/T falls as T grows: while it is positive, T has to grow.
        if (expected_N - of_gold_N).mean() > 0:
            low = middle
        else:
            high = middle
    return float(np.clip(np.exp((low + high) / 2), LEAST, MOST))


def why_unfitted(probabilities_NR: Floats, gold_N: Numbers) -> str | None:
    """Why rows cannot tell a temperature; None if they can."""
    if not len(gold_N):
        return "no validation rows: the temperature is 1 and there are no thresholds"
    of_gold_N = probabilities_NR[np.arange(len(gold_N)), gold_N]
    if not of_gold_N.any():
        return "every gold label has probability 0: the temperature is 1"
    if (probabilities_NR.argmax(axis=1) == gold_N).all():
        # Likelihood would grow without end as T falls to 0: the model would never be in doubt.
        return (
            "every validation row is right, which sets no limit to sureness: the temperature is 1"
        )
    return None


def negative_log_likelihood(probabilities_NR: Floats, gold_N: Numbers) -> float | None:
    """Mean over rows, in nats; None without a row."""
    if not len(gold_N):
        return None
    of_gold_N = probabilities_NR[np.arange(len(gold_N)), gold_N]
    return float(-np.log(np.maximum(of_gold_N, _FLOOR)).mean())


def reliability(confidence_N: Floats, correct_N: Truths) -> pd.DataFrame:
    """What is claimed and what is true, in ``BINS`` bins of equal width.

    Args:
        confidence_N: A probability for each row.
        correct_N: Whether its label is right.

    Returns:
        One row per bin: its ends, the number of rows, their mean confidence and the share that
        is right (0 where there are no rows).
    """
    import pandas as pd

    of_row_N = np.clip(np.ceil(confidence_N * BINS).astype(int) - 1, 0, BINS - 1)
    rows = np.bincount(of_row_N, minlength=BINS)
    per = np.maximum(rows, 1)
    edges = np.linspace(0, 1, BINS + 1)
    return pd.DataFrame(
        {
            "from": edges[:-1],
            "to": edges[1:],
            "rows": rows,
            "confidence": np.bincount(of_row_N, confidence_N, BINS) / per,
            "accuracy": np.bincount(of_row_N, correct_N.astype(float), BINS) / per,
        }
    )


def expected_calibration_error(confidence_N: Floats, correct_N: Truths) -> float | None:
    """Mean over rows of the gap between claim and truth of their bin, 0 to 1; None without a row.

    It is above 0 for perfect probabilities too: about 0.1 with 100 rows, 0.02 with 2,700.
    """
    if not len(confidence_N):
        return None
    bins = reliability(confidence_N, correct_N)
    gaps = (bins["confidence"] - bins["accuracy"]).abs()
    return float((bins["rows"] * gaps).sum() / len(confidence_N))


def likeliest(probabilities_NR: Floats, gold_N: Numbers) -> tuple[Floats, Truths]:
    """Probability of every row's likeliest label, and whether that is the gold one."""
    return (
        probabilities_NR.max(axis=1, initial=0.0),
        probabilities_NR.argmax(axis=1) == gold_N,
    )


def _logs(probabilities_NR: Floats) -> Floats:
    with np.errstate(divide="ignore"):
        return np.log(probabilities_NR)


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
