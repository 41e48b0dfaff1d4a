"""Labelling. torch is imported inside, so that the graph loads without it."""

from __future__ import annotations

import pandas as pd

from tkre.modeling.checkpoint import Checkpoint
from tkre.pipelines.finetuning.gpu_nodes import predict
from tkre.records import from_frame
from tkre.tagged import to_tagged


def label(classifier: Checkpoint, instances: pd.DataFrame) -> pd.DataFrame:
    """Labels sentences with the classifier.

    Returns:
        The sentences with their tags and ids, the predicted relation with its probability, and
        the probability of every relation.
    """
    predictions = predict(classifier, instances).drop(columns="relation")
    tagged = [to_tagged(instance) for instance in from_frame(instances)]
    predictions.insert(1, "sentence", tagged)
    return predictions
