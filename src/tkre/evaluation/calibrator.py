"""Calibrator: temperature and thresholds of one classifier, stored beside it as ``trust.json``.

*Confidence* is the calibrated probability of the predicted label. A negative prediction may have a
low one (``least_probability``: no other label was probable enough): it asserts nothing, so such
rows are neither counted as answers nor withheld.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

import numpy as np

from tkre.core.errors import UserError
from tkre.core.files import require_readable
from tkre.core.params import Params
from tkre.evaluation import calibration
from tkre.evaluation.calibration import Numbers, estimate_share, with_share
from tkre.evaluation.metrics import Floats
from tkre.evaluation.params import CalibrationParams
from tkre.evaluation.predictions import guesses_of, labels_of, probabilities_of, with_probabilities

if TYPE_CHECKING:
    import pandas as pd


CALIBRATOR_FILE = "trust.json"  # in a folder, versioned or not


class CalibratorError(UserError, RuntimeError):
    """A calibrator that cannot be used as requested; the message has the remedy."""


class Threshold(Params):
    """Lowest confidence at which answers have a wanted precision.

    Attributes:
        precision: Wanted precision.
        confidence: Lowest confidence of an answer; None where the rows support none.
        validation_coverage: Share of the answers on the validation rows at or above it.
        validation_precision: Share of those that are right; None without any.
    """

    precision: float
    confidence: float | None
    validation_coverage: float
    validation_precision: float | None


Text = Literal["balanced", "natural"]


class Calibrator(Params):
    """Temperature and thresholds fitted on rows that were not trained on. Shares are 0 to 1.

    Attributes:
        cell: Cell of the classifier.
        classifier: Digest of its weights.
        negative: Negative label; None without one.
        fitted_on: Kind of text of these rows. ``balanced``: the validation set of the sample.
            ``natural``: annotated rows that were held out of training, with the language model's
            labels, predicted with the prior of natural text. Where a recipe has ``folds``, the
            predictions are those of classifiers of the other folds.
        validation_rows: Number of the rows. They chose the classifier's epoch too, so scores on
            them are optimistic.
        validation_negative: Share of the negative label among them; None without one.
        temperature: T of ``p^(1/T)``.
        negative_bias: Added to the logit of the negative label after that, in nats; 0 for balanced
            text.
        ece_before: Expected calibration error on the validation rows, uncalibrated.
        ece_after: Expected calibration error with the temperature.
        nll_before: Negative log-likelihood, in nats, uncalibrated.
        nll_after: Negative log-likelihood with the temperature.
        thresholds: One for each wanted precision.
        settings: Parameters of the fit; ``negative_share`` is applied wherever the record is used.
        note: Reason why a part is missing; None if none is.
    """

    cell: str
    classifier: str
    negative: str | None
    fitted_on: Text = "balanced"
    validation_rows: int
    validation_negative: float | None
    temperature: float
    negative_bias: float = 0.0
    ece_before: float | None
    ece_after: float | None
    nll_before: float | None
    nll_after: float | None
    thresholds: tuple[Threshold, ...]
    settings: CalibrationParams
    note: str | None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The record in a file, or in the newest version in a folder.

        Raises:
            FileNotFoundError: There is none.
            DocumentError: The file holds no such record.
            PermissionError: It cannot be read.
        """
        path = Path(path)
        files = [path] if path.is_file() else sorted(path.glob(f"[!.]*/{CALIBRATOR_FILE}"))
        if not files:
            raise FileNotFoundError(
                f"no calibrator record in {path}: `kedro run --pipelines finetuning` writes it to "
                "data/07_model_output/<corpus>/<shots>/<seed>/<variant>/trust.json"
            )
        require_readable(files[-1])
        return cls.from_file(files[-1])

    @property
    def trained_share(self) -> float | None:
        """Share of the negative label that the probabilities are calibrated for.

        None at 0 and 1: weights cannot correct for another share.
        """
        share = self.validation_negative
        return share if share is not None and 0 < share < 1 else None

    def require(self, weights: str) -> None:
        """Check that the record belongs to the classifier with these weights, by their digest.

        Raises:
            CalibratorError: The record belongs to other weights.
        """
        if weights != self.classifier:
            raise CalibratorError(
                f"the calibrator record of {self.cell} is of a classifier with the digest "
                f"{self.classifier[:12]}..., this one has {weights[:12]}...: fit it again with "
                f"`kedro run --pipelines <experiment> --to-outputs {self.cell}.calibrator`, or "
                "use its own version"
            )

    def natural(self, wanted: bool | None) -> bool:
        """Whether rows are labelled as natural text, with the classifier's prior of it.

        Args:
            wanted: True or False as asked for; None takes the kind of text of the record.

        Raises:
            CalibratorError: The record is of the other kind of text.
        """
        own = self.fitted_on == "natural"
        if wanted not in (None, own):
            other = "balanced_trust.json" if own else CALIBRATOR_FILE
            raise CalibratorError(
                f"the calibrator record of {self.cell} was fitted on {self.fitted_on} text, and "
                f"natural={wanted} was asked for: give {other} of the run as the calibrator, or "
                "none (calibrator=False in Python; a command takes the record beside the weights)"
            )
        return own

    def confidence_for(self, precision: float) -> float:
        """Lowest confidence at which answers have a wanted precision.

        Raises:
            CalibratorError: None was fitted for it, or the validation rows support none.
        """
        fitted = {t.precision: t.confidence for t in self.thresholds}
        if precision not in fitted:
            raise CalibratorError(
                f"{self.cell} has no threshold for a precision of {precision} (it has "
                f"{', '.join(map(str, fitted)) or 'none'}): add it to calibrator.precisions in "
                "conf/base/parameters_calibration.yml and run `kedro run --pipelines <experiment> "
                f"--to-outputs {self.cell}.calibrator`"
            )
        confidence = fitted[precision]
        if confidence is None:
            reached = [str(p) for p, c in fitted.items() if c is not None]
            raise CalibratorError(
                f"{self.cell}: its {self.validation_rows} validation rows support no threshold for "
                f"a precision of {precision}"
                + (f" ({self.note})" if self.note else "")
                + f": want less (it has {', '.join(reached) or 'none'}), or have more shots; "
                "wanted_precision null never abstains"
            )
        return confidence


def share_among(predictions: pd.DataFrame, calibrator: Calibrator) -> float | None:
    """Share of the negative relation to correct for; None for no correction.

    Args:
        predictions: Predictions of the classifier; gold labels are ignored.
        calibrator: Record whose settings give the share, estimate it from these rows, or neither.
    """
    return share_of(probabilities_of(predictions), labels_of(predictions), calibrator)


def estimated_share(predictions: pd.DataFrame, calibrator: Calibrator) -> float | None:
    """Share of the negative relation by EM; None where no correction is possible."""
    return _estimated(probabilities_of(predictions), labels_of(predictions), calibrator)


def calibrate(
    predictions: pd.DataFrame, calibrator: Calibrator, share: float | None
) -> pd.DataFrame:
    """Predictions with calibrated probabilities.

    Args:
        predictions: Frame with ``predicted`` and ``p.<relation>``; not changed.
        calibrator: Record of the classifier.
        share: Share of the negative relation to correct for (``share_among``); None for none.

    Returns:
        The same columns. ``predicted`` changes only where the correction for the share makes
        another relation the most probable; rows that ``least_probability`` made negative stay so.
    """
    raw_NR, labels = probabilities_of(predictions), labels_of(predictions)
    rows = calibrated_rows(raw_NR, guesses_of(predictions), labels, calibrator, share)
    return with_probabilities(predictions, *rows)


def share_of(raw_NR: Floats, labels: Sequence[str], calibrator: Calibrator) -> float | None:
    """``share_among`` for an array whose columns are the labels."""
    if (setting := calibrator.settings.negative_share) == "estimated":
        return _estimated(raw_NR, labels, calibrator)
    return setting if calibrator.trained_share else None


def calibrated_rows(
    raw_NR: Floats,
    guesses_N: Numbers,
    labels: Sequence[str],
    calibrator: Calibrator,
    share: float | None,
) -> tuple[Floats, Numbers]:
    """``calibrate`` for arrays: probabilities, and the columns of the predicted labels."""
    calibrated_NR = scaled(raw_NR, labels, calibrator)
    if (
        share is not None
        and calibrator.negative is not None
        and calibrator.trained_share is not None
    ):
        negative = labels.index(calibrator.negative)
        calibrated_NR = with_share(calibrated_NR, negative, calibrator.trained_share, share)
        overruled_N = guesses_N != raw_NR.argmax(axis=1)
        guesses_N = np.where(overruled_N, guesses_N, calibrated_NR.argmax(axis=1))
    return calibrated_NR, guesses_N


def scaled(raw_NR: Floats, labels: Sequence[str], calibrator: Calibrator) -> Floats:
    """Probabilities with temperature and bias, for the share of negatives of the fitted rows."""
    tempered_NR = calibration.tempered(raw_NR, calibrator.temperature)
    if not calibrator.negative_bias or calibrator.negative is None:
        return tempered_NR
    negative = labels.index(calibrator.negative)
    return calibration.biased(tempered_NR, negative, calibrator.negative_bias)


def _estimated(raw_NR: Floats, labels: Sequence[str], calibrator: Calibrator) -> float | None:
    if calibrator.trained_share is None or calibrator.negative is None:
        return None
    scaled_NR = scaled(raw_NR, labels, calibrator)
    return estimate_share(scaled_NR, labels.index(calibrator.negative), calibrator.trained_share)
