"""Behaviour of classifiers on made-up sentences."""

from __future__ import annotations

import pandas as pd

from tkre.core.schema import RelationSchema
from tkre.evaluation.probing import probes_of, score_probes
from tkre.modeling.checkpoint import Checkpoint
from tkre.pipelines.finetuning.gpu_nodes import predicted


def probe(classifier: Checkpoint, schema: RelationSchema) -> pd.DataFrame:
    """Labels the probes of a schema, without a prior of natural text: their labels are chosen.

    Returns:
        One row per probe (``evaluation.probing.score_probes``).
    """
    probes = probes_of(schema)
    return score_probes(probes, predicted(classifier, [each.instance for each in probes]))
