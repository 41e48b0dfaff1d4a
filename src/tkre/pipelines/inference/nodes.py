"""New sentences from a file, and their calibrated answers (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.instance import Instance, to_tagged
from tkre.core.schema import RelationSchema
from tkre.corpora.unlabelled import read_unlabelled
from tkre.evaluation.calibrator import Calibrator, calibrate, share_among
from tkre.evaluation.params import InferenceParams
from tkre.evaluation.predictions import answered


def read_sentences(
    sentences: str, schema: RelationSchema, inference: InferenceParams
) -> list[Instance]:
    """Reads sentences, one JSON object a line; they need no relation and no id.

    Raises:
        CorpusError: Bad lines, among them those with a type that the schema does not have.
    """
    return read_unlabelled(sentences, inference.sentences, schema.entity_types)


def choose_threshold(calibrator: Calibrator, inference: InferenceParams) -> dict[str, Any]:
    """Looks up from which confidence on answers have the wanted precision.

    Returns:
        ``wanted_precision``, and ``confidence``: 0 where nothing is withheld.

    Raises:
        CalibratorError: The classifier's validation rows support no such precision.
    """
    wanted = inference.wanted_precision
    confidence = 0.0 if wanted is None else calibrator.confidence_for(wanted)
    return {"wanted_precision": wanted, "confidence": confidence}


def answer(
    raw_predictions: pd.DataFrame,
    instances: list[Instance],
    calibrator: Calibrator,
    threshold: dict[str, Any],
) -> pd.DataFrame:
    """Calibrates the predictions and withholds the answers that are not sure enough.

    Returns:
        A row per sentence: id, the sentence with its tags, ``answer`` (None where
        ``abstained``), ``predicted`` (in any case) with its calibrated probability, and
        those of all relations.
    """
    share = share_among(raw_predictions, calibrator)
    calibrated = calibrate(raw_predictions, calibrator, share)
    predictions = answered(calibrated, calibrator.negative, threshold["confidence"])
    predictions.insert(1, "sentence", [to_tagged(instance) for instance in instances])
    return predictions
