"""Labelling of new sentences."""

from __future__ import annotations

import pandas as pd

from tkre.core.instance import Instance
from tkre.evaluation.calibrator import Calibrator
from tkre.modeling.checkpoint import Checkpoint
from tkre.pipelines.finetuning.gpu_nodes import predicted


def label(
    classifier: Checkpoint, calibrator: Calibrator, instances: list[Instance]
) -> pd.DataFrame:
    """Labels sentences with the classifier, as the kind of text of its calibrator.

    Returns:
        A predictions frame without ``gold``; its probabilities are not calibrated.

    Raises:
        CalibratorError: The calibrator was fitted for other weights.
    """
    calibrator.require(classifier.lineage.weights)
    natural = bool(calibrator.natural(None))
    return predicted(classifier, instances, natural=natural).drop(columns="gold")
