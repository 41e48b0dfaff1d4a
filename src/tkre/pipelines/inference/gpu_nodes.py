"""Labelling. torch is imported inside, so that the graph loads without it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.evaluation.calibrator import Calibrator
from tkre.modeling.checkpoint import Checkpoint
from tkre.pipelines.finetuning.gpu_nodes import predict


def label(
    classifier: Checkpoint, calibrator: dict[str, Any], instances: pd.DataFrame
) -> pd.DataFrame:
    """Labels sentences with the classifier.

    Returns:
        id, the predicted relation with its probability, and the probability of every relation, as
        the classifier puts them.

    Raises:
        CalibratorError: The calibrator record is of other weights.
    """
    Calibrator.model_validate(calibrator).require(classifier.lineage.weights)
    return predict(classifier, instances).drop(columns="gold")
