"""How far scores move from seed to seed."""

from __future__ import annotations

import pandas as pd


def spread(values: pd.Series) -> float:
    """The population standard deviation over seeds; missing for one seed, which shows none."""
    return float(values.std(ddof=0)) if values.count() > 1 else float("nan")
