"""Whether trust is kept: calibration and thresholds on the rows that are scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tkre.evaluation.calibration import (
    expected_calibration_error,
    likeliest,
    negative_log_likelihood,
    reliability,
)
from tkre.evaluation.grouping import SETTING
from tkre.evaluation.metrics import micro_scores
from tkre.evaluation.predictions import answers, gold_of, probabilities_of
from tkre.evaluation.selective import area_under, attained, risk_coverage, risks_at
from tkre.evaluation.trust import Trust, calibrate, estimated_share, share_among

COVERAGES = np.linspace(0.01, 1, 100)  # where curves are kept, so that seeds can be averaged


def score_trust(
    predictions: pd.DataFrame, trust: Trust, metrics: Mapping[str, Any]
) -> dict[str, Any]:
    """What is reported of the trust in one classifier.

    Args:
        predictions: Of the rows to be scored, as the classifier makes them.
        trust: Its record.
        metrics: Of its cell, whose coordinates are taken over.

    Returns:
        Everything in per cent but likelihoods (nats) and the temperature; None where there is
        nothing to measure. Calibration is that of the likeliest label of all rows; risk, coverage
        and thresholds are over answers, the rows predicted to have a relation. F1 is given without
        and with the correction for the share of the negative relation: the share that the settings
        give, or else the estimated one.
    """
    share = share_among(predictions, trust)
    calibrated = calibrate(predictions, trust, share)
    curve = risk_coverage(*answers(calibrated, trust.negative))
    return {
        **{name: metrics[name] for name in (*SETTING, "seed")},
        "rows": len(predictions),
        "validation_rows": trust.validation_rows,
        "note": trust.note,
        "temperature": trust.temperature,
        **_calibration(predictions, "before"),
        **_calibration(calibrated, "after"),
        "aurc": _per_cent(area_under(curve)),
        "risks": [] if curve.empty else (100 * risks_at(curve, COVERAGES)).tolist(),
        "thresholds": [
            _kept(calibrated, trust, t.precision, t.confidence) for t in trust.thresholds
        ],
        **_shares(predictions, trust, share),
    }


def trust_table(scores: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row per place of the grid (corpus, shots, ...) and variant, means over seeds.

    A seed without a threshold for a precision answers nothing: it has coverage 0 and no
    precision, and ``seeds_at_<precision>`` counts those that have one.
    """
    plain = ["temperature", "ece_before", "ece_after", "nll_before", "nll_after", "aurc",
             "negative_share", "negative_share_estimated", "negative_share_corrected",
             "micro_f1", "micro_f1_corrected"]  # fmt: skip
    rows = []
    for s in scores:
        row = {column: s[column] for column in [*SETTING, *plain]}
        for t in s["thresholds"]:
            at = f"{100 * t['wanted']:g}"
            row |= {
                f"coverage_at_{at}": t["coverage"],
                f"precision_at_{at}": t["precision"],
                f"seeds_at_{at}": float(t["confidence"] is not None),
            }
        rows.append(row)
    if not rows:
        return pd.DataFrame(columns=[*SETTING, "seeds", *plain])
    table = pd.DataFrame(rows)
    measures = [column for column in table if column not in SETTING]
    groups = table.astype(dict.fromkeys(measures, float)).groupby(SETTING, sort=False)
    means = groups[measures].mean()
    counted = [column for column in measures if column.startswith("seeds_at_")]
    means[counted] = groups[counted].sum().astype(int)
    means.insert(0, "seeds", groups.size())
    return means.reset_index()


def _calibration(predictions: pd.DataFrame, when: str) -> dict[str, Any]:
    probabilities, gold = probabilities_of(predictions), gold_of(predictions)
    confidence, correct = likeliest(probabilities, gold)
    return {
        f"ece_{when}": _per_cent(expected_calibration_error(confidence, correct)),
        f"nll_{when}": negative_log_likelihood(probabilities, gold),
        f"reliability_{when}": reliability(confidence, correct).to_dict("records"),
    }


def _kept(
    calibrated: pd.DataFrame, trust: Trust, wanted: float, confidence: float | None
) -> dict[str, Any]:
    coverage, precision = attained(*answers(calibrated, trust.negative), confidence)
    return {
        "wanted": wanted,
        "confidence": confidence,
        "coverage": 100 * coverage,
        "precision": _per_cent(precision),
    }


def _shares(predictions: pd.DataFrame, trust: Trust, share: float | None) -> dict[str, Any]:
    estimated = estimated_share(predictions, trust) if len(predictions) else None
    corrected = estimated if share is None else share
    gold = predictions["relation"].tolist()
    is_negative = (predictions["relation"] == trust.negative).to_numpy(dtype=bool)
    scores: dict[str, Any] = {"micro_f1": None, "micro_f1_corrected": None}
    if gold:
        guessed = calibrate(predictions, trust, corrected)["predicted"].tolist()
        plain = predictions["predicted"].tolist()
        scores["micro_f1"] = micro_scores(gold, plain, trust.negative)["micro_f1"]
        if corrected is not None:
            scores["micro_f1_corrected"] = micro_scores(gold, guessed, trust.negative)["micro_f1"]
    return scores | {
        "negative_share": 100 * float(is_negative.mean()) if gold and trust.negative else None,
        "negative_share_estimated": _per_cent(estimated),
        "negative_share_corrected": _per_cent(corrected),
    }


def _per_cent(share: float | None) -> float | None:
    return None if share is None else 100 * share
