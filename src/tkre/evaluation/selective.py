"""Selective prediction: risk-coverage curves and confidence thresholds for a wanted precision.

An *answer* is a row predicted to have a relation other than the negative one.
"""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from tkre.evaluation.calibration import Truths
from tkre.evaluation.metrics import Floats

if TYPE_CHECKING:
    import pandas as pd

DOUBT = 2.0  # doubt of a single answer, 1 - confidence, in wanted risks: at most


def risk_coverage(confidence_N: Floats, correct_N: Truths) -> pd.DataFrame:
    """Risk-coverage curve of answers, by their confidence and whether they are right.

    Returns:
        One row per distinct confidence, the highest first: ``threshold``, ``coverage`` (share of
        answers at or above it) and ``risk`` (share of those that are wrong), 0 to 1.
    """
    import pandas as pd

    order = np.argsort(-confidence_N, kind="stable")
    sorted_N = confidence_N[order]
    last_N = np.append(sorted_N[1:] != sorted_N[:-1], True)[: len(sorted_N)]
    taken_N = np.arange(1, len(sorted_N) + 1)
    wrong_N = np.cumsum(~correct_N[order])
    return pd.DataFrame(
        {
            "threshold": sorted_N[last_N],
            "coverage": taken_N[last_N] / max(len(sorted_N), 1),
            "risk": wrong_N[last_N] / taken_N[last_N],
        }
    )


def area_under(curve: pd.DataFrame) -> float | None:
    """AURC: the mean risk over coverages from 0 to 1 (lower is better); None without an answer."""
    if curve.empty:
        return None
    widths = np.diff(curve["coverage"].to_numpy(), prepend=0.0)
    return float((widths * curve["risk"].to_numpy()).sum())


def risks_at(curve: pd.DataFrame, coverages: Floats) -> Floats:
    """Risks of a curve at wanted coverages: those of the next threshold that covers as much."""
    places = np.searchsorted(curve["coverage"].to_numpy(), coverages - 1e-9)
    risks: Floats = curve["risk"].to_numpy()[np.minimum(places, len(curve) - 1)]
    return risks


def threshold_for_precision(
    confidence_N: Floats,
    correct_N: Truths,
    wanted: float,
    *,
    assurance: float,
    weights_N: Floats | None = None,
    same_text: bool = False,
) -> float | None:
    """Lowest confidence at which answers have a wanted precision.

    A threshold chosen on few validation rows is optimistic (docs/method.md has figures). So it has
    two conditions:

    * the lower end of a one-sided Wilson interval of the precision on these rows, not the
      precision itself, is at least what is wanted;
    * it is not below the wanted precision itself, so that no single answer is less probable:
      unsure answers are the first to be wrong where other rows differ from these.

    Rows of the kind of text that is to be labelled (``same_text``) may be trusted more, and are
    often a dozen answers, whose interval would support no threshold. There the answers from the
    threshold on have the wanted precision by their probabilities and by their labels, and none is
    more than twice as doubtful as that.

    Args:
        confidence_N: Calibrated confidence of each answer.
        correct_N: Whether the answer is right.
        wanted: Wanted precision, 0 to 1.
        assurance: Level of the one-sided interval, e.g. 0.8; 0.5 takes the precision itself. Not
            read with ``same_text``.
        weights_N: Weights of rows, where other rows will have other shares of labels.
        same_text: Whether the rows are text of the kind to be labelled.

    Returns:
        The lowest such threshold; None where these rows support none.
    """
    if not len(confidence_N):
        return None
    order = np.argsort(-confidence_N, kind="stable")
    sorted_N = confidence_N[order]
    weights_N = np.ones(len(order)) if weights_N is None else weights_N[order]
    total_N = np.cumsum(weights_N)
    precision_N = np.cumsum(weights_N * correct_N[order]) / total_N
    # Effective number of rows (Kish).
    rows_N = total_N**2 / np.cumsum(weights_N**2)
    last_N = np.append(sorted_N[1:] != sorted_N[:-1], True)
    if same_text:
        stated_N = np.cumsum(weights_N * sorted_N) / total_N
        bound_N = np.minimum(precision_N, stated_N)
        floor = 1 - DOUBT * (1 - wanted)
    else:
        bound_N = _wilson_lower(precision_N, rows_N, assurance)
        floor = wanted
    fit_N = last_N & (sorted_N >= floor - 1e-12) & (bound_N >= wanted - 1e-12)
    if not fit_N.any():
        return None
    lowest = float(sorted_N[fit_N].min())
    # No answer between the wanted precision and the lowest speaks against the wanted one.
    free = same_text and not ((sorted_N >= wanted) & (sorted_N < lowest)).any()
    return min(lowest, wanted) if free else lowest


def attained(
    confidence_N: Floats, correct_N: Truths, threshold: float | None
) -> tuple[float, float | None]:
    """Coverage and precision of answers at a threshold, 0 to 1.

    No threshold answers nothing; without an answer there is no precision.
    """
    if threshold is None or not len(confidence_N):
        return 0.0, None
    given_N = confidence_N >= threshold
    return float(given_N.mean()), float(correct_N[given_N].mean()) if given_N.any() else None


def _wilson_lower(share_N: Floats, rows_N: Floats, assurance: float) -> Floats:
    """The lower end of the one-sided Wilson interval of shares."""
    z = NormalDist().inv_cdf(assurance)
    centre = share_N + z**2 / (2 * rows_N)
    half = z * np.sqrt(share_N * (1 - share_N) / rows_N + z**2 / (4 * rows_N**2))
    end: Floats = (centre - half) / (1 + z**2 / rows_N)
    return end
