from __future__ import annotations

import json

import numpy as np
import pytest

from tkre.evaluation.calibration import expected_calibration_error, likeliest, tempered
from tkre.evaluation.calibration_report import fit_calibrator
from tkre.evaluation.calibrator import (
    Calibrator,
    CalibratorError,
    calibrate,
    estimated_share,
    share_among,
)
from tkre.evaluation.params import CalibrationParams
from tkre.evaluation.predictions import (
    answers,
    gold_of,
    guesses_of,
    prediction_frame,
    probabilities_of,
    with_probabilities,
)
from tkre.evaluation.selective import attained

LABELS = ["a", "b", "c", "none"]


def predictions(rows: int, *, too_sure: float = 2.5, negative: float = 0.25, seed: int = 0,
                least: float = 0.0, noise: float = 0.45):  # fmt: skip
    """What a classifier says that learnt from balanced rows and is too sure of itself.

    Relations are points on a circle, rows are drawn around them; below ``least`` the answer is the
    negative relation.
    """
    generator = np.random.default_rng(seed)
    shares = [(1 - negative) / 3] * 3 + [negative]
    gold = generator.choice(4, size=rows, p=shares)
    angles = np.arange(4) * np.pi / 2
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    x = points[gold] + generator.normal(0, noise, (rows, 2))
    logs = -((x[:, None] - points) ** 2).sum(axis=2) / (2 * noise**2)
    true = np.exp(logs) / np.exp(logs).sum(axis=1, keepdims=True)
    said = tempered(true, 1 / too_sure)
    guessed = np.where(said.max(axis=1) >= least, said.argmax(axis=1), 3)
    return prediction_frame(
        [f"r{n}" for n in range(rows)],
        [LABELS[n] for n in gold],
        [LABELS[n] for n in guessed],
        LABELS,
        said,
    )


def fit(frame, fitted_on="balanced", **settings) -> Calibrator:
    params = CalibrationParams(**{"precisions": (0.8, 0.95)} | settings)
    return fit_calibrator(
        frame, "none", params, cell="toy.k8.s13.v", classifier="abc", fitted_on=fitted_on
    )


def test_the_record_holds_measures_on_validation_rows():
    calibrator = fit(predictions(200))
    assert calibrator.temperature == pytest.approx(2.5, rel=0.35)
    assert (
        calibrator.ece_after < calibrator.ece_before
        and calibrator.nll_after < calibrator.nll_before
    )
    assert (calibrator.validation_rows, calibrator.cell, calibrator.note) == (
        200,
        "toy.k8.s13.v",
        None,
    )
    assert calibrator.validation_negative == calibrator.trained_share
    assert [t.precision for t in calibrator.thresholds] == [0.8, 0.95]
    assert calibrator.thresholds[0].validation_precision >= 0.8
    assert (
        calibrator.thresholds[0].validation_coverage > calibrator.thresholds[1].validation_coverage
    )
    as_json = json.loads(json.dumps(calibrator.model_dump(mode="json"), allow_nan=False))
    assert Calibrator.model_validate(as_json) == calibrator


def test_it_holds_on_other_rows():
    calibrator, others = fit(predictions(200)), predictions(3000, seed=1)
    calibrated = calibrate(others, calibrator, None)
    gold = gold_of(others)
    before, after = (
        expected_calibration_error(*likeliest(probabilities_of(frame), gold))
        for frame in (others, calibrated)
    )
    assert after < 0.05 < before
    for wanted in (0.8, 0.95):
        coverage, precision = attained(
            *answers(calibrated, "none"), calibrator.confidence_for(wanted)
        )  # fmt: skip
        assert precision >= wanted and coverage > 0.2


def test_least_probability_applies_to_uncalibrated_probabilities():
    frame = predictions(300, least=0.6)
    doubted = frame["predicted"] != [LABELS[n] for n in probabilities_of(frame).argmax(axis=1)]
    assert doubted.any()
    calibrated = calibrate(frame, fit(predictions(200)), None)
    assert calibrated["predicted"].tolist() == frame["predicted"].tolist()
    assert calibrated["gold"].tolist() == frame["gold"].tolist()
    # Its confidence is that of the negative relation, which it does not think likely.
    assert (calibrated.loc[doubted, "probability"] == calibrated.loc[doubted, "p.none"]).all()
    assert calibrated.loc[doubted, "probability"].max() < 0.5
    with_share = calibrate(frame, fit(predictions(200)), 0.05)
    assert (with_share.loc[doubted, "predicted"] == "none").all()


def test_another_share_of_the_negative_relation_changes_labels_for_the_better():
    calibrator, frame = fit(predictions(400)), predictions(3000, negative=0.8, seed=2)
    assert estimated_share(frame, calibrator) == pytest.approx(0.8, abs=0.06)
    gold = frame["gold"]
    plain, corrected = (calibrate(frame, calibrator, share)["predicted"] for share in (None, 0.8))
    assert (corrected == gold).mean() > (plain == gold).mean() + 0.01
    assert (corrected == "none").sum() > (plain == "none").sum()


def test_which_share_is_corrected_for_is_a_setting():
    frame = predictions(500, negative=0.6, seed=2)
    assert share_among(frame, fit(predictions(200))) is None
    assert share_among(frame, fit(predictions(200), negative_share=0.4)) == 0.4
    estimated = fit(predictions(200), negative_share="estimated")
    assert share_among(frame, estimated) == estimated_share(frame, estimated)
    for wrong in (0, 1, -0.2, "guess"):
        with pytest.raises(ValueError, match="negative_share"):
            CalibrationParams(negative_share=wrong)


def test_where_the_negative_relation_will_be_frequent_thresholds_are_higher():
    plain, shifted = fit(predictions(300)), fit(predictions(300), negative_share=0.9)
    assert shifted.temperature == plain.temperature
    others = predictions(6000, negative=0.9, seed=3)
    reached = {}
    for name, calibrator in (("plain", plain), ("shifted", shifted)):
        calibrated = calibrate(others, calibrator, share_among(others, calibrator))
        confidence = calibrator.confidence_for(0.8)
        reached[name] = attained(*answers(calibrated, "none"), confidence)[1]
    assert reached["plain"] < 0.8 <= reached["shifted"]


def test_without_a_negative_relation_no_share_is_corrected_for():
    frame = predictions(200)
    params = CalibrationParams(negative_share=0.4)
    calibrator = fit_calibrator(frame, None, params, cell="toy.k8.s13.v", classifier="abc")
    assert "no validation row is negative" in calibrator.note
    assert share_among(frame, calibrator) is None and estimated_share(frame, calibrator) is None
    assert calibrator.confidence_for(0.8) > 0


def test_a_zero_shot_cell_has_a_temperature_of_1_and_no_threshold():
    calibrator = fit(predictions(0))
    assert (calibrator.temperature, calibrator.validation_rows, calibrator.ece_before) == (
        1,
        0,
        None,
    )
    assert "no validation rows" in calibrator.note
    assert all(t.confidence is None for t in calibrator.thresholds)
    json.dumps(calibrator.model_dump(mode="json"), allow_nan=False)
    frame = predictions(20)
    assert calibrate(frame, calibrator, None)["probability"].to_numpy() == pytest.approx(
        frame["probability"].to_numpy()
    )
    with pytest.raises(
        CalibratorError, match=r"0 validation rows support no threshold.*more shots"
    ):
        calibrator.confidence_for(0.8)


def test_a_temperature_at_its_bound_is_noted():
    frame = predictions(20)
    frame["gold"] = [LABELS[n] for n in probabilities_of(frame).argmin(axis=1)]
    calibrator = fit(frame)
    assert (
        calibrator.temperature == 100
        and calibrator.note == "the temperature is at its bound of 100"
    )


def test_a_precision_that_cannot_be_had_is_an_error_with_the_way_out():
    calibrator = fit(predictions(40), precisions=(0.6, 0.99))
    with pytest.raises(CalibratorError, match=r"precision of 0.99: want less \(it has 0.6\)"):
        calibrator.confidence_for(0.99)
    with pytest.raises(
        CalibratorError, match=r"0.7 \(it has 0.6, 0.99\): add it to calibrator.precisions"
    ):
        calibrator.confidence_for(0.7)


def test_other_weights_are_refused():
    calibrator = fit(predictions(40))
    calibrator.require("abc")
    with pytest.raises(CalibratorError, match=r"--to-outputs toy.k8.s13.v.calibrator"):
        calibrator.require("abd")


def test_a_record_is_read_from_its_file_or_its_newest_version(tmp_path):
    for version, rows in (("2026-01-01", 40), ("2026-02-01", 60)):
        folder = tmp_path / "trust.json" / version
        folder.mkdir(parents=True)
        (folder / "trust.json").write_text(fit(predictions(rows)).model_dump_json())
    assert Calibrator.read(tmp_path / "trust.json").validation_rows == 60
    first = tmp_path / "trust.json" / "2026-01-01" / "trust.json"
    assert Calibrator.read(str(first)).validation_rows == 40
    with pytest.raises(FileNotFoundError, match=r"no calibrator record in .*finetuning"):
        Calibrator.read(tmp_path / "elsewhere")


def test_few_natural_rows_give_a_threshold_that_balanced_ones_do_not():
    """The calibrated probabilities are trusted where the rows do not contradict them."""
    frame = predictions(24, negative=0.8)
    balanced, natural = (fit(frame, kind, precisions=(0.9,)) for kind in ("balanced", "natural"))
    assert (balanced.fitted_on, natural.fitted_on) == ("balanced", "natural")
    assert balanced.negative_bias == 0
    assert balanced.thresholds[0].confidence is None
    assert natural.thresholds[0].confidence == 0.9
    assert natural.thresholds[0].validation_coverage > 0.5


def test_a_record_is_for_its_kind_of_text():
    natural, older = fit(predictions(60), "natural"), fit(predictions(60))
    assert natural.natural(None) and natural.natural(True) and not older.natural(None)
    with pytest.raises(CalibratorError, match=r"fitted on natural text.*balanced_trust\.json"):
        natural.natural(False)
    raw = older.model_dump(mode="json")
    del raw["fitted_on"]  # records of older versions have no such field
    assert Calibrator.model_validate(raw) == older


def test_a_prior_that_is_off_is_corrected_by_the_bias():
    """Temperature alone cannot move the share of the negative relation; its order stays."""
    frame = predictions(400, negative=0.8, too_sure=2.0)
    raw = probabilities_of(frame).copy()
    raw[:, 3] *= 0.1  # as under a prior that has too few negatives
    said = with_probabilities(frame, raw / raw.sum(axis=1, keepdims=True), guesses_of(frame))
    natural = fit(said, "natural")
    plain = fit(said)
    assert natural.negative_bias > 0.5 and natural.nll_after < plain.nll_after - 0.005
    calibrated = calibrate(said, natural, None)
    assert probabilities_of(calibrated).sum(axis=1) == pytest.approx(1)
    assert probabilities_of(calibrated)[:, 3].mean() == pytest.approx(0.8, abs=0.03)
    assert calibrated["predicted"].tolist() == said["predicted"].tolist()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_bias_without_both_kinds_of_rows(share):
    assert fit(predictions(60, negative=share), "natural").negative_bias == 0
