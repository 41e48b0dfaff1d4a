"""Calibration: temperature scaling, expected calibration error, correction for label shift.

Temperature scaling (Guo et al. 2017) replaces every probability by ``p^(1/T)``, normalised; one
number, so a few validation rows determine it. It changes no label. Calibration is measured on the
most probable label of a row: it is a property of the probabilities, not of the decision rule.

K shots per relation imply a share of 1/R for the negative relation; in running text most pairs have
it. If only the shares differ, Bayes' rule gives the probabilities for the other share (Saerens,
Latinne and Decaestecker 2002). The positive relations keep their proportions.
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

BINS = 15  # of equal width, as in most papers; empty bins have weight 0
LEAST, MOST = 0.1, 100.0  # bounds of the temperature
_FLOOR = 1e-12  # probability that an excluded gold label counts as; 28 nats


def tempered(probabilities_NR: Floats, temperature: float) -> Floats:
    """``p^(1/T)``, normalised; zeros stay 0, the order within a row stays.

    Args:
        probabilities_NR: N x R, rows sum to 1.
        temperature: T; above 1 makes the probabilities less sure.
    """
    logs_NR = _logs(probabilities_NR) / temperature
    powers_NR = np.exp(logs_NR - logs_NR.max(axis=1, keepdims=True, initial=-np.inf))
    result: Floats = powers_NR / powers_NR.sum(axis=1, keepdims=True)
    return result


def fit_temperature(probabilities_NR: Floats, gold_N: Numbers) -> float:
    """Temperature that maximises the likelihood of the gold labels.

    The negative log-likelihood is convex in ``b = 1/T``. Its slope, the mean over rows of
    ``E[log p] - log p_gold`` under the tempered row, has one root, which Brent's method finds.

    Args:
        probabilities_NR: N x R, of rows that were not trained on.
        gold_N: Column of each row's gold label. A row whose gold label has probability 0 (excluded
            by its types) has that at any temperature and is left out.

    Returns:
        T from ``LEAST`` to ``MOST``; 1 where the rows determine none (``why_unfitted``).
    """
    from scipy.optimize import brentq

    if why_unfitted(probabilities_NR, gold_N):
        return 1.0
    rows_NR, gold_N = _possible(probabilities_NR, gold_N)
    logs_NR = _logs(rows_NR)
    of_gold_N = logs_NR[np.arange(len(gold_N)), gold_N]
    finite_NR = np.where(np.isfinite(logs_NR), logs_NR, 0.0)

    def slope(log_temperature: float) -> float:
        expected_N = (tempered(rows_NR, np.exp(log_temperature)) * finite_NR).sum(axis=1)
        return float((expected_N - of_gold_N).mean())

    low, high = np.log(LEAST), np.log(MOST)
    # The slope falls as T grows: without a change of sign the optimum is a bound.
    if slope(low) <= 0:
        return LEAST
    if slope(high) > 0:
        return MOST
    return float(np.exp(brentq(slope, low, high, xtol=1e-14)))


MOST_BIAS = 10.0  # nats


def fit_temperature_and_bias(
    probabilities_NR: Floats, gold_N: Numbers, negative: int
) -> tuple[float, float]:
    """Temperature, and bias of the negative relation, that maximise the likelihood together.

    For rows with their own share of that relation, which a prior of a few rows misses:
    bias-corrected temperature scaling (Alexandari, Kundaje and Shrikumar 2020) for one label. The
    negative log-likelihood is convex in ``1/T`` and the bias.

    Args:
        probabilities_NR: N x R, of rows that were not trained on.
        gold_N: Column of each row's gold label.
        negative: Column of the negative relation.

    Returns:
        T, as of ``fit_temperature``; the bias in nats, 0 where all rows or none are negative.
    """
    from scipy.optimize import minimize

    temperature = fit_temperature(probabilities_NR, gold_N)
    rows_NR, gold_N = _possible(probabilities_NR, gold_N)
    is_negative_N = gold_N == negative
    if why_unfitted(rows_NR, gold_N) or is_negative_N.all() or not is_negative_N.any():
        return temperature, 0.0
    finite_NR = np.maximum(_logs(rows_NR), -1e6)
    of_gold_N = finite_NR[np.arange(len(gold_N)), gold_N]

    def loss(given: Floats) -> float:
        scores_NR = given[0] * finite_NR
        scores_NR[:, negative] += given[1]
        most_N = scores_NR.max(axis=1)
        sums_N = np.exp(scores_NR - most_N[:, None]).sum(axis=1)
        return float(
            (most_N + np.log(sums_N) - given[0] * of_gold_N - given[1] * is_negative_N).mean()
        )

    bounds = [(1 / MOST, 1 / LEAST), (-MOST_BIAS, MOST_BIAS)]
    power, bias = minimize(loss, [1 / temperature, 0.0], method="L-BFGS-B", bounds=bounds).x
    return float(1 / power), float(bias)


def biased(probabilities_NR: Floats, negative: int, bias: float) -> Floats:
    """Probabilities with the logit of the negative relation raised by a bias, normalised."""
    raised_NR = probabilities_NR.copy()
    raised_NR[:, negative] *= np.exp(bias)
    result: Floats = raised_NR / raised_NR.sum(axis=1, keepdims=True)
    return result


def why_unfitted(probabilities_NR: Floats, gold_N: Numbers) -> str | None:
    """Reason why rows determine no temperature; None if they do."""
    if not len(gold_N):
        return "no validation rows: the temperature is 1 and there are no thresholds"
    possible_NR, gold_N = _possible(probabilities_NR, gold_N)
    if not len(gold_N):
        return "every gold label has probability 0: the temperature is 1"
    if (possible_NR.argmax(axis=1) == gold_N).all():
        # The likelihood is unbounded as T falls to 0.
        return (
            "every validation row that can be right is right, which bounds no temperature: the "
            "temperature is 1"
        )
    return None


def _possible(probabilities_NR: Floats, gold_N: Numbers) -> tuple[Floats, Numbers]:
    """Rows whose gold label is not excluded by their types; the others tell no temperature."""
    possible_N = probabilities_NR[np.arange(len(gold_N)), gold_N] > 0
    return probabilities_NR[possible_N], gold_N[possible_N]


def negative_log_likelihood(probabilities_NR: Floats, gold_N: Numbers) -> float | None:
    """Mean over rows, in nats; None without a row."""
    if not len(gold_N):
        return None
    of_gold_N = probabilities_NR[np.arange(len(gold_N)), gold_N]
    return float(-np.log(np.maximum(of_gold_N, _FLOOR)).mean())


def reliability(confidence_N: Floats, correct_N: Truths) -> pd.DataFrame:
    """Reliability diagram: confidence and accuracy of labels in ``BINS`` bins of equal width.

    Returns:
        One row per bin: its ends, number of rows, mean confidence and accuracy (0 without rows).
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
    """Expected calibration error over ``BINS`` bins, 0 to 1; None without a row.

    Above 0 for perfect probabilities too: about 0.1 with 100 rows, 0.02 with 2,700.
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


_EM_STEPS, _EM_TOLERANCE = 10_000, 1e-9


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
    for _ in range(_EM_STEPS):
        corrected_N = with_share(probabilities_NR, negative, trained, share)[:, negative]
        new = (float(corrected_N.sum()) + 2 * trained) / (len(corrected_N) + 2)
        if abs(new - share) < _EM_TOLERANCE:
            break
        share = new
    return share
