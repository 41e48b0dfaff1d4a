"""Which knowledge an encoder learns from (CPU)."""

from __future__ import annotations

import pandas as pd

from tkre.generation.texts import EXPLANATION, SUPPORT, SYNTHETIC
from tkre.training.stages import PretrainingParams


def select_texts(
    knowledge: pd.DataFrame,
    pretraining: PretrainingParams,
    zero_shot: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Takes the kinds of knowledge texts that the variant is pre-trained on."""
    if zero_shot is not None:
        knowledge = pd.concat([knowledge, zero_shot], ignore_index=True)
    return knowledge[knowledge["source"].isin(pretraining.sources)].reset_index(drop=True)


def select_pairs(
    explained: pd.DataFrame,
    synthetic: pd.DataFrame,
    pretraining: PretrainingParams,
    zero_shot: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Takes the labelled sentences whose pairs are contrasted, with or without explanations."""
    if zero_shot is not None:
        synthetic = pd.concat([synthetic, zero_shot], ignore_index=True)
    taken = [explained if SUPPORT in pretraining.sources else explained.iloc[:0]]
    taken += [synthetic] if SYNTHETIC in pretraining.sources else []
    rows = pd.concat(taken, ignore_index=True)
    return rows if EXPLANATION in pretraining.sources else rows.assign(explanation=None)
