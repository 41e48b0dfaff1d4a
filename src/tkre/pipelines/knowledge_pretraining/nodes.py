"""Which knowledge texts an encoder learns from (CPU)."""

from __future__ import annotations

import pandas as pd

from tkre.training.params import PretrainingParams


def select_texts(knowledge: pd.DataFrame, pretraining: PretrainingParams) -> pd.DataFrame:
    """Takes the kinds of knowledge texts that the variant is pre-trained on."""
    return knowledge[knowledge["source"].isin(pretraining.sources)].reset_index(drop=True)
