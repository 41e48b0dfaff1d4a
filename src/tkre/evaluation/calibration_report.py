"""Fit a calibrator on validation rows, and score it on the rows of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tkre.evaluation import calibration
from tkre.evaluation.calibration import (
    Numbers,
    expected_calibration_error,
    likeliest,
    negative_log_likelihood,
    reliability,
)
from tkre.evaluation.calibrator import (
    Calibrator,
    Text,
    Threshold,
    calibrate,
    estimated_share,
    scaled,
    share_among,
)
from tkre.evaluation.metrics import Floats, micro_scores
from tkre.evaluation.params import CalibrationParams
from tkre.evaluation.predictions import answers, gold_of, labels_of, probabilities_of
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT
from tkre.evaluation.selective import (
    area_under,
    attained,
    risk_coverage,
    risks_at,
    threshold_for_precision,
)


def fit_calibrator(
    predictions: pd.DataFrame,
    negative: str | None,
    params: CalibrationParams,
    *,
    cell: str,
    classifier: str,
    fitted_on: Text = "balanced",
) -> Calibrator:
    """Fit temperature and thresholds on rows that were not trained on.

    Args:
        predictions: Frame with ``gold``, ``predicted`` and ``p.<relation>``, N rows.
        negative: Negative label of the schema.
        params: Wanted precisions and their assurance.
        cell: Name of the classifier's cell.
        classifier: Digest of its weights.
        fitted_on: Kind of text of the rows.
    """
    raw_NR, gold_N = probabilities_of(predictions), gold_of(predictions)
    labels, bias = labels_of(predictions), 0.0
    if fitted_on == "natural" and negative is not None:
        column = labels.index(negative)
        temperature, bias = calibration.fit_temperature_and_bias(raw_NR, gold_N, column)
    else:
        temperature = calibration.fit_temperature(raw_NR, gold_N)
    note = calibration.why_unfitted(raw_NR, gold_N)
    if temperature in (calibration.LEAST, calibration.MOST):
        note = f"the temperature is at its bound of {temperature:g}"
    is_negative_N = (predictions["gold"] == negative).to_numpy(dtype=bool)
    calibrator = Calibrator(
        cell=cell,
        classifier=classifier,
        negative=negative,
        fitted_on=fitted_on,
        validation_rows=len(gold_N),
        validation_negative=float(is_negative_N.mean()) if negative and len(gold_N) else None,
        temperature=temperature,
        negative_bias=bias,
        **_errors(raw_NR, gold_N, "before"),
        ece_after=None,
        nll_after=None,
        thresholds=(),
        settings=params,
        note=note,
    )
    after = _errors(scaled(raw_NR, labels, calibrator), gold_N, "after")
    calibrator = calibrator.model_copy(update=after)
    if params.negative_share is not None and calibrator.trained_share is None and note is None:
        note = "no validation row is negative: there is no correction for the share of such rows"
    thresholds = tuple(_threshold(predictions, calibrator, wanted) for wanted in params.precisions)
    return calibrator.model_copy(update={"thresholds": thresholds, "note": note})


def _errors(probabilities_NR: Floats, gold_N: Numbers, when: str) -> dict[str, Any]:
    """Calibration error (0 to 1) and negative log-likelihood (nats); None without a row."""
    return {
        f"ece_{when}": expected_calibration_error(*likeliest(probabilities_NR, gold_N)),
        f"nll_{when}": negative_log_likelihood(probabilities_NR, gold_N),
    }


def _threshold(predictions: pd.DataFrame, calibrator: Calibrator, wanted: float) -> Threshold:
    """Threshold for validation rows weighted to the given share of the negative relation.

    A share that is estimated later is unknown here, so rows then have equal weights.
    """
    given, trained = calibrator.settings.negative_share, calibrator.trained_share
    share = given if isinstance(given, float) and trained is not None else None
    calibrated = calibrate(predictions, calibrator, share)
    confidence_N, correct_N = answers(calibrated, calibrator.negative)
    weights_N = np.ones(len(confidence_N))
    if share is not None and trained is not None:
        gold = calibrated.loc[calibrated["predicted"] != calibrator.negative, "gold"]
        is_negative_N = (gold == calibrator.negative).to_numpy(dtype=bool)
        weights_N = np.where(is_negative_N, share / trained, (1 - share) / (1 - trained))
    assurance = calibrator.settings.assurance
    threshold = threshold_for_precision(
        confidence_N, correct_N, wanted, assurance=assurance, weights_N=weights_N,
        same_text=calibrator.fitted_on == "natural",
    )  # fmt: skip
    coverage, precision = attained(confidence_N, correct_N, threshold)
    return Threshold(
        precision=wanted,
        confidence=threshold,
        validation_coverage=coverage,
        validation_precision=precision,
    )


COVERAGES = np.linspace(0.01, 1, 100)  # common points of curves, to average over seeds


def score_calibration(
    predictions: pd.DataFrame, calibrator: Calibrator, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """Scores of a calibrator on the rows of a cell.

    Args:
        predictions: Uncalibrated predictions of the scored rows.
        calibrator: Record of the classifier.
        metrics: Scores of its cell, whose coordinates are copied.

    Returns:
        Scores in per cent, likelihoods in nats, the temperature; None without rows to measure.
        Calibration is that of the most probable label of all rows; risk, coverage and thresholds
        are over answers, the rows predicted to have a relation. F1 is given without and with the
        correction for the share of the negative relation: that of the settings, or the estimate.
    """
    share = share_among(predictions, calibrator)
    calibrated = calibrate(predictions, calibrator, share)
    curve = risk_coverage(*answers(calibrated, calibrator.negative))
    return {
        **{name: metrics[name] for name in (*GROUP_KEYS_WITH_VARIANT, "seed")},
        "rows": len(predictions),
        "fitted_on": calibrator.fitted_on,
        "validation_rows": calibrator.validation_rows,
        "note": calibrator.note,
        "temperature": calibrator.temperature,
        **_calibration(predictions, "before"),
        **_calibration(calibrated, "after"),
        "aurc": _per_cent(area_under(curve)),
        "risks": [] if curve.empty else (100 * risks_at(curve, COVERAGES)).tolist(),
        "thresholds": [_kept(calibrated, calibrator, t) for t in calibrator.thresholds],
        **_shares(predictions, calibrator, share),
    }


def calibration_table(scores: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per place of the grid (corpus, shots, ...) and variant, means over seeds.

    A seed without a threshold for a precision answers nothing: it has coverage 0 and no
    precision, and ``seeds_at_<precision>`` counts those that have one.
    """
    plain = ["temperature", "ece_before", "ece_after", "nll_before", "nll_after", "aurc",
             "negative_share", "negative_share_estimated", "negative_share_corrected",
             "micro_f1", "micro_f1_corrected"]  # fmt: skip
    rows = []
    for s in scores:
        row = {column: s[column] for column in [*GROUP_KEYS_WITH_VARIANT, *plain]}
        for t in s["thresholds"]:
            at = f"{100 * t['wanted']:g}"
            row |= {
                f"coverage_at_{at}": t["coverage"],
                f"precision_at_{at}": t["precision"],
                f"seeds_at_{at}": float(t["confidence"] is not None),
            }
        rows.append(row)
    if not rows:
        return pd.DataFrame(columns=[*GROUP_KEYS_WITH_VARIANT, "seeds", *plain])
    table = pd.DataFrame(rows)
    measures = [column for column in table if column not in GROUP_KEYS_WITH_VARIANT]
    groups = table.astype(dict.fromkeys(measures, float)).groupby(
        GROUP_KEYS_WITH_VARIANT, sort=False
    )
    means = groups[measures].mean()
    counted = [column for column in measures if column.startswith("seeds_at_")]
    means[counted] = groups[counted].sum().astype(int)
    means.insert(0, "seeds", groups.size())
    return means.reset_index()


def _calibration(predictions: pd.DataFrame, when: str) -> dict[str, Any]:
    probabilities_NR, gold_N = probabilities_of(predictions), gold_of(predictions)
    errors = _errors(probabilities_NR, gold_N, when)
    bins = reliability(*likeliest(probabilities_NR, gold_N)).to_dict("records")
    ece = f"ece_{when}"
    return errors | {ece: _per_cent(errors[ece]), f"reliability_{when}": bins}


def _kept(calibrated: pd.DataFrame, calibrator: Calibrator, threshold: Threshold) -> dict[str, Any]:
    """Coverage, precision and recall of a threshold on the scored rows, per cent.

    Recall is the share of all gold relations; None without one.
    """
    confidence = threshold.confidence
    given = answers(calibrated, calibrator.negative)
    coverage, precision = attained(*given, confidence)
    right = coverage * len(given[0]) * (precision or 0.0)
    relations = int((calibrated["gold"] != calibrator.negative).sum())
    return {
        "wanted": threshold.precision,
        "confidence": confidence,
        "coverage": 100 * coverage,
        "precision": _per_cent(precision),
        "recall": _per_cent(right / relations) if relations else None,
    }


def _shares(
    predictions: pd.DataFrame, calibrator: Calibrator, share: float | None
) -> dict[str, Any]:
    """Shares of the negative relation, and micro-F1 without and with the correction for it."""
    negative, gold = calibrator.negative, predictions["gold"].tolist()
    estimated = estimated_share(predictions, calibrator) if gold else None
    corrected = estimated if share is None else share

    def micro_f1(frame: pd.DataFrame) -> float:
        return micro_scores(gold, frame["predicted"].tolist(), negative)["micro_f1"]

    known = gold and corrected is not None
    return {
        "micro_f1": micro_f1(predictions) if gold else None,
        "micro_f1_corrected": (
            micro_f1(calibrate(predictions, calibrator, corrected)) if known else None
        ),
        "negative_share": _per_cent(gold.count(negative) / len(gold))
        if gold and negative
        else None,
        "negative_share_estimated": _per_cent(estimated),
        "negative_share_corrected": _per_cent(corrected),
    }


def _per_cent(share: float | None) -> float | None:
    return None if share is None else 100 * share
