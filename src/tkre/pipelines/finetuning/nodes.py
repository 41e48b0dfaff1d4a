"""Which rows a classifier is trained on (CPU)."""

from __future__ import annotations

import pandas as pd


def golden_rows(support: pd.DataFrame) -> pd.DataFrame:
    """Takes the K-shot support set alone."""
    return support


def golden_and_synthetic_rows(explained: pd.DataFrame, synthetic: pd.DataFrame) -> pd.DataFrame:
    """Takes the explained support set and the synthetic sentences."""
    return pd.concat([explained, synthetic], ignore_index=True)
