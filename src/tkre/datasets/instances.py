"""Instances and knowledge texts: Parquet and JSON Lines files <-> lists of records."""

from __future__ import annotations

from typing import Any, ClassVar

from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import JSONDataset, ParquetDataset

from tkre.core.instance import Instance, from_frame, to_frame, to_tagged
from tkre.datasets.base import table_preview
from tkre.generation import texts
from tkre.generation.texts import KnowledgeText

PREVIEWED = ("id", "relation", "sentence", "head_type", "tail_type", "triggers", "explanation")


class InstancesDataset(ParquetDataset):
    """Instances in a Parquet file (columns: ``tkre.core.instance.COLUMNS``), as a list."""

    def load(self) -> list[Instance]:
        """The instances in the order of the rows; offsets are checked against the text."""
        return from_frame(super().load())

    def save(self, data: list[Instance]) -> None:
        """Writes a row per instance."""
        super().save(to_frame(data))

    def preview(self, nrows: int = 20) -> TablePreview:
        """Sentences with their mentions in tags; empty columns are left out."""
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
            for instance in self.load()[:nrows]
        ]
        columns = [column for column in PREVIEWED if any(row[column] for row in rows)]
        return table_preview(columns, [[row[column] for column in columns] for row in rows])


class KnowledgeTextsDataset(JSONDataset):
    """Knowledge texts in a JSON Lines file, as a list."""

    DEFAULT_LOAD_ARGS: ClassVar[dict[str, Any]] = {
        "lines": True,
        "orient": "records",
        "dtype": False,
    }
    DEFAULT_SAVE_ARGS: ClassVar[dict[str, Any]] = {
        "lines": True,
        "orient": "records",
        "force_ascii": False,
    }

    def load(self) -> list[KnowledgeText]:
        """The texts in the order of the lines."""
        return texts.from_frame(super().load())

    def save(self, data: list[KnowledgeText]) -> None:
        """Writes a line per text."""
        super().save(texts.to_frame(data))
