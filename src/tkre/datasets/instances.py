"""Frames of instances as catalog entries, with a preview that a person can read."""

from __future__ import annotations

from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import ParquetDataset

from tkre.core.instance import from_frame, to_tagged

PREVIEWED = ("id", "relation", "sentence", "head_type", "tail_type", "triggers", "explanation")


class InstancesDataset(ParquetDataset):
    """Kedro's Parquet dataset for frames of ``tkre.core.instance``.

    Its own preview cannot be shown: triggers come back as arrays, at which kedro-viz fails.
    """

    def preview(self, nrows: int = 20) -> TablePreview:
        """What kedro-viz shows: sentences with their mentions in tags; nothing of empty columns."""
        rows = [
            {
                "id": instance.id,
                "relation": instance.relation,
                "sentence": to_tagged(instance),
                "head_type": instance.head_type,
                "tail_type": instance.tail_type,
                "triggers": ", ".join(instance.triggers),
                "explanation": instance.explanation,
            }
            for instance in from_frame(self._copy().load().head(nrows))
        ]
        columns = [column for column in PREVIEWED if any(row[column] for row in rows)]
        return TablePreview(
            {
                "index": list(range(len(rows))),
                "columns": columns,
                "data": [[row[column] for column in columns] for row in rows],
            }
        )
