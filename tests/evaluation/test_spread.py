from __future__ import annotations

import pandas as pd

from tkre.evaluation.results import std_over_seeds


def test_one_value_has_no_spread():
    assert std_over_seeds(pd.Series([40.0, 50.0])) == 5  # of the population
    assert pd.isna(std_over_seeds(pd.Series([40.0]))) and pd.isna(
        std_over_seeds(pd.Series([40.0, None]))
    )
