"""Tables of numbers: CSV files whose previews are rounded."""

from __future__ import annotations

import pandas as pd
from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import CSVDataset

from tkre.datasets.base import table_preview
from tkre.report.tables import FIGURE


class TableDataset(CSVDataset):
    """Kedro's CSV dataset with a rounded preview; the file keeps all digits."""

    def preview(self, nrows: int = 50) -> TablePreview:
        """Numbers of four digits; missing values are empty."""
        table = self._copy().load().head(nrows)
        rows = [[_rounded(value) for value in row] for row in table.to_numpy(dtype=object)]
        return table_preview([str(column) for column in table.columns], rows)


def _rounded(value: object) -> object:
    if pd.isna(value):
        return ""
    return float(FIGURE % value) if isinstance(value, float) else value
