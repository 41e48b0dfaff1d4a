from __future__ import annotations

import pandas as pd

from tkre.evaluation.results import spread


def test_one_value_has_no_spread():
    assert spread(pd.Series([40.0, 50.0])) == 5  # of the population
    assert pd.isna(spread(pd.Series([40.0]))) and pd.isna(spread(pd.Series([40.0, None])))
