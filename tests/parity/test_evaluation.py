"""Metrics, calibration, intervals and thresholds on made-up predictions: to 1e-9."""

from __future__ import annotations

import numpy as np
import pytest

from tests.parity.pins import check
from tkre.evaluation.bootstrap import Resamples, interval, row_interval
from tkre.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    likeliest,
    negative_log_likelihood,
    reliability,
    tempered,
)
from tkre.evaluation.calibration_report import fit_calibrator
from tkre.evaluation.calibrator import calibrate, share_among
from tkre.evaluation.metrics import by_relation, confusion, counts, micro_scores, official_f1
from tkre.evaluation.params import CalibrationParams, IntervalParams
from tkre.evaluation.predictions import (
    answers,
    gold_of,
    prediction_frame,
    probabilities_of,
    withheld,
)
from tkre.evaluation.selective import area_under, attained, risk_coverage, threshold_for_precision

EXACT = 1e-9
LABELS = ["Cause-Effect(e1,e2)", "Cause-Effect(e2,e1)", "Member(e1,e2)", "Other", "Topic"]
OTHER = "Other"


def made_up(seed, rows=240):
    """Predictions that are often right, and too sure."""
    generator = np.random.default_rng(seed)
    gold = generator.integers(len(LABELS), size=rows)
    logits = 1.6 * generator.normal(size=(rows, len(LABELS)))
    logits[np.arange(rows), gold] += 2.0
    powers = np.exp(logits)
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    guessed = [LABELS[n] for n in probabilities.argmax(axis=1)]
    ids = [f"r{n}" for n in range(rows)]
    return prediction_frame(ids, [LABELS[n] for n in gold], guessed, LABELS, probabilities)


@pytest.fixture(scope="module")
def frame():
    return made_up(1)


def test_metrics(frame):
    gold, guessed = frame["gold"].tolist(), frame["predicted"].tolist()
    metrics = ("micro", "semeval")
    figures = {
        "micro_scores": micro_scores(gold, guessed, OTHER),
        "official": [official_f1(gold, guessed, OTHER, metric) for metric in metrics],
        "no negative": [official_f1(gold, guessed, None, metric) for metric in metrics],
        "by_relation": by_relation(gold, guessed, LABELS),
        "confusion": confusion(gold, guessed, LABELS).to_numpy(),
    }
    check("metrics", figures, rel=EXACT)


def test_intervals():
    frames = [made_up(seed) for seed in (1, 2, 3, 4)]
    for metric in ("micro", "semeval"):
        one, two, *theirs = (
            counts(f["gold"].tolist(), f["predicted"].tolist(), OTHER, metric) for f in frames
        )
        params = IntervalParams(resamples=300, seed=7)

        def difference(*rows, params=params, ours=(one, two), theirs=theirs):
            resamples = Resamples(rows, params)
            scored = [
                [resamples.f1(c, own) for c, own in zip(counted, rows, strict=True)]
                for counted in (ours, theirs)
            ]
            return interval(scored[0], params, scored[1])

        check(f"intervals of {metric}", [
            row_interval(one, range(len(one.gold)), params),
            difference(range(240), range(240)),
            difference(range(240), range(20, 260)),
        ], rel=EXACT)  # fmt: skip


def test_calibration(frame):
    raw, gold = probabilities_of(frame), gold_of(frame)
    temperature = fit_temperature(raw, gold)
    figures = {"temperature": temperature}
    for name, probabilities in (("raw", raw), ("tempered", tempered(raw, temperature))):
        figures[name] = [
            expected_calibration_error(*likeliest(probabilities, gold)),
            negative_log_likelihood(probabilities, gold),
            reliability(*likeliest(probabilities, gold)),
            probabilities[:5],
        ]
    check("calibration", figures, rel=EXACT)


def test_thresholds(frame):
    confidence, correct = answers(frame, OTHER)
    curve = risk_coverage(confidence, correct)
    figures = {"area": area_under(curve), "curve": curve.iloc[::20]}
    for wanted in (0.6, 0.7, 0.8, 0.9, 0.99):
        threshold = threshold_for_precision(confidence, correct, wanted, assurance=0.8)
        figures[f"at {wanted}"] = [threshold, *attained(confidence, correct, threshold)]
    check("thresholds", figures, rel=EXACT)


@pytest.mark.parametrize("share", [None, 0.5, "estimated"])
def test_calibrator(frame, share):
    params = CalibrationParams(precisions=(0.6, 0.8, 0.9), assurance=0.7, negative_share=share)
    calibrator = fit_calibrator(frame, OTHER, params, cell="c.k8.s1.v", classifier="d")
    thresholds = [
        [t.precision, t.confidence, t.validation_coverage, t.validation_precision]
        for t in calibrator.thresholds
    ]
    others = made_up(9, rows=60)
    calibrated = calibrate(others, calibrator, share_among(others, calibrator))
    guesses = calibrated["predicted"]
    unsure = withheld(calibrated["probability"], guesses != OTHER, 0.6)
    given = guesses.astype(object).where(~unsure, None)
    check(f"calibrator with share {share}", {
        "temperature": calibrator.temperature, "note": calibrator.note, "thresholds": thresholds,
        "ece": [calibrator.ece_before, calibrator.ece_after],
        "nll": [calibrator.nll_before, calibrator.nll_after],
        "calibrated": calibrated["probability"], "given": given,
    }, rel=EXACT)  # fmt: skip
