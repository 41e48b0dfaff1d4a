"""Which synthetic rows are believed, and what a filter is worth where labels are wrong (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.corpora.schema import RelationSchema
from tkre.generation import filtering, label_confidence, label_noise
from tkre.generation.params import GenerationParams
from tkre.grid import Draw
from tkre.records import from_frame, to_frame


def plant_noise(
    synthetic: pd.DataFrame, schema: dict[str, Any], draw: Draw
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Swaps the labels of a share of the synthetic rows, to measure what that costs.

    Returns:
        The synthetic instances with wrong labels among them; which ones, for the evaluation only.
    """
    noisy, planted = label_noise.plant_noise(
        from_frame(synthetic), RelationSchema.model_validate(schema), draw.noise / 100, draw.seed
    )
    return to_frame(noisy), planted


def filter_synthetic(
    explained: pd.DataFrame,
    synthetic: pd.DataFrame,
    synthetic_probabilities: pd.DataFrame,
    schema: dict[str, Any],
    generation: GenerationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Drops synthetic rows that contradict their labels, the schema, or only repeat others.

    Returns:
        The synthetic instances that are kept; the verdict on each; counts by relation.
    """
    parsed = RelationSchema.model_validate(schema)
    rows = from_frame(synthetic)
    kept, verdicts = filtering.filter_synthetic(
        from_frame(explained),
        rows,
        parsed,
        label_confidence.from_frame(synthetic_probabilities, rows, parsed),
        generation.filtering,
    )
    return to_frame(kept), verdicts, filtering.filter_summary(verdicts)


def score_filter(
    verdicts: pd.DataFrame, draw: Draw, planted: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Scores a filter against the labels that were planted; without any, all were right.

    Returns:
        Precision and recall of its refusals, with their counts.
    """
    rejected = verdicts.loc[verdicts["reason"].notna(), "id"].tolist()
    if planted is None:
        planted = verdicts[["id", "relation"]].assign(planted=None)
    return {"draw": draw.name} | label_noise.filter_scores(planted, rejected)
