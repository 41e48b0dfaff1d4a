"""New sentences from a file, and what is said of them in the end (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.instance import from_frame, to_frame, to_tagged
from tkre.corpora.unlabelled import read_unlabelled
from tkre.evaluation.calibrator import Calibrator, calibrate, share_among
from tkre.evaluation.predictions import answered
from tkre.project.config import InferenceParams


def read_sentences(sentences: str) -> pd.DataFrame:
    """Reads tagged sentences, one JSON object a line; they need no relation and no id."""
    return to_frame(read_unlabelled(sentences, "the file of sentences"))


def choose_threshold(calibrator: dict[str, Any], inference: InferenceParams) -> dict[str, Any]:
    """Looks up from which confidence on answers have the wanted precision.

    Returns:
        ``wanted_precision``, and ``confidence``: 0 where nothing is withheld.

    Raises:
        CalibratorError: The classifier's validation rows support no such precision.
    """
    wanted = inference.wanted_precision
    record = Calibrator.model_validate(calibrator)
    confidence = 0.0 if wanted is None else record.confidence_for(wanted)
    return {"wanted_precision": wanted, "confidence": confidence}


def answer(
    raw_predictions: pd.DataFrame,
    instances: pd.DataFrame,
    calibrator: dict[str, Any],
    threshold: dict[str, Any],
) -> pd.DataFrame:
    """Calibrates the predictions and withholds the answers that are not sure enough.

    Returns:
        A row per sentence: id, the sentence with its tags, ``answer`` (None where
        ``abstained``), ``predicted`` (in any case) with its calibrated probability, and
        those of all relations.
    """
    record = Calibrator.model_validate(calibrator)
    share = share_among(raw_predictions, record)
    predictions = answered(
        calibrate(raw_predictions, record, share), record.negative, threshold["confidence"]
    )
    predictions.insert(1, "sentence", [to_tagged(i) for i in from_frame(instances)])
    return predictions
