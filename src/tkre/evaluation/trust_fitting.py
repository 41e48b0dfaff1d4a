"""Making a trust record: a temperature and thresholds from the predictions for validation rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tkre.evaluation import calibration
from tkre.evaluation.calibration import Numbers, likeliest
from tkre.evaluation.metrics import Floats
from tkre.evaluation.params import TrustParams
from tkre.evaluation.predictions import answers, gold_of, probabilities_of
from tkre.evaluation.selective import attained, threshold_for_precision
from tkre.evaluation.trust import Threshold, Trust, calibrate


def fit_trust(
    predictions: pd.DataFrame,
    negative: str | None,
    params: TrustParams,
    *,
    cell: str,
    classifier: str,
) -> Trust:
    """Temperature and thresholds from predictions for validation rows.

    Args:
        predictions: With ``relation`` (gold), ``predicted`` and ``p.<relation>``, N rows.
        negative: The negative label of the schema.
        params: Which precisions are wanted, and how surely.
        cell: Name of the classifier's cell.
        classifier: Digest of its weights.
    """
    raw_NR, gold_N = probabilities_of(predictions), gold_of(predictions)
    temperature = calibration.fit_temperature(raw_NR, gold_N)
    after_NR = calibration.tempered(raw_NR, temperature)
    is_negative_N = (predictions["relation"] == negative).to_numpy(dtype=bool)
    trust = Trust(
        cell=cell,
        classifier=classifier,
        negative=negative,
        validation_rows=len(gold_N),
        validation_negative=float(is_negative_N.mean()) if negative and len(gold_N) else None,
        temperature=temperature,
        ece_before=calibration.expected_calibration_error(*likeliest(raw_NR, gold_N)),
        ece_after=calibration.expected_calibration_error(*likeliest(after_NR, gold_N)),
        nll_before=calibration.negative_log_likelihood(raw_NR, gold_N),
        nll_after=calibration.negative_log_likelihood(after_NR, gold_N),
        thresholds=(),
        settings=params,
        note=_note(raw_NR, gold_N, temperature),
    )
    if params.negative_share is not None and trust.trained_share is None and trust.note is None:
        note = "no validation row is negative: there is no correction for the share of such rows"
        trust = trust.model_copy(update={"note": note})
    thresholds = tuple(_threshold(predictions, trust, wanted) for wanted in params.precisions)
    return trust.model_copy(update={"thresholds": thresholds})


def _note(raw_NR: Floats, gold_N: Numbers, temperature: float) -> str | None:
    if temperature in (calibration.LEAST, calibration.MOST):
        return f"the temperature is at its bound of {temperature:g}"
    return calibration.why_unfitted(raw_NR, gold_N)


def _threshold(predictions: pd.DataFrame, trust: Trust, wanted: float) -> Threshold:
    """Chosen as if the validation rows had the share of the negative relation that is given.

    A share that is to be estimated is not known yet, so the rows count as they are.
    """
    given, trained = trust.settings.negative_share, trust.trained_share
    share = given if isinstance(given, float) and trained is not None else None
    calibrated = calibrate(predictions, trust, share)
    confidence_N, correct_N = answers(calibrated, trust.negative)
    weights_N = np.ones(len(confidence_N))
    if share is not None and trained is not None:
        answered = calibrated[(calibrated["predicted"] != trust.negative).to_numpy(dtype=bool)]
        is_negative_N = (answered["relation"] == trust.negative).to_numpy(dtype=bool)
        weights_N = np.where(is_negative_N, share / trained, (1 - share) / (1 - trained))
    threshold = threshold_for_precision(
        confidence_N,
        correct_N,
        wanted,
        assurance=trust.settings.assurance,
        weights_N=weights_N,
    )
    coverage, precision = attained(confidence_N, correct_N, threshold)
    return Threshold(
        precision=wanted,
        confidence=threshold,
        validation_coverage=coverage,
        validation_precision=precision,
    )
