"""Tables of figures as catalog entries, with a preview that a person can read."""

from __future__ import annotations

import pandas as pd
from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import CSVDataset

from tkre.report.tables import FIGURE


class TableDataset(CSVDataset):
    """Kedro's CSV dataset. The file has all digits, its preview those that are read."""

    def preview(self, nrows: int = 50) -> TablePreview:
        """What kedro-viz shows: figures of four digits; nothing where there is no value."""
        table = self._copy().load().head(nrows)
        return TablePreview(
            {
                "index": list(range(len(table))),
                "columns": [str(column) for column in table.columns],
                "data": [[_shown(value) for value in row] for row in table.to_numpy(dtype=object)],
            }
        )


def _shown(value: object) -> object:
    if pd.isna(value):
        return ""
    return float(FIGURE % value) if isinstance(value, float) else value
