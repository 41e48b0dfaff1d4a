"""Labelling of new sentences."""

from __future__ import annotations

import pandas as pd

from tkre.core.instance import Instance
from tkre.evaluation.calibrator import Calibrator
from tkre.modeling.checkpoint import Checkpoint
from tkre.pipelines.finetuning.gpu_nodes import predict


def label(
    classifier: Checkpoint, calibrator: Calibrator, instances: list[Instance]
) -> pd.DataFrame:
    """Labels sentences with the classifier.

    Returns:
        A predictions frame without ``gold``; its probabilities are not calibrated.

    Raises:
        CalibratorError: The calibrator was fitted for other weights.
    """
    calibrator.require(classifier.lineage.weights)
    return predict(classifier, instances).drop(columns="gold")
