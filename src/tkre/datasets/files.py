"""Files <-> the project's types: instances, knowledge texts, records, responses, tables."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, ClassVar

import pandas as pd
from kedro.io import DatasetError
from kedro.utils import load_obj
from kedro_datasets import json as json_files
from kedro_datasets._typing import JSONPreview, TablePreview
from kedro_datasets.pandas import CSVDataset, JSONDataset, ParquetDataset
from pydantic import BaseModel

from tkre.core.instance import Instance, from_frame, to_frame, to_tagged
from tkre.datasets import table_preview
from tkre.generation import texts
from tkre.generation.annotation import Annotation, instances_of
from tkre.generation.llm.protocol import Response
from tkre.generation.texts import KnowledgeText
from tkre.report.tables import FIGURE


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
        rows: list[dict[str, object]] = [
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
        filled = {column for row in rows for column, value in row.items() if value}
        return table_preview([{c: row[c] for c in row if c in filled} for row in rows])


class AnnotationsDataset(ParquetDataset):
    """Annotated instances in a Parquet file with their ``confidence``, as a list."""

    def load(self) -> list[Annotation]:
        """The annotations in the order of the rows."""
        frame = super().load()
        return [
            Annotation(instance, float(confidence))
            for instance, confidence in zip(from_frame(frame), frame["confidence"], strict=True)
        ]

    def save(self, data: list[Annotation]) -> None:
        """Writes a row per annotation, checked by ``frames.ANNOTATIONS``."""
        frame = to_frame(instances_of(data))
        frame = frame.assign(confidence=[annotation.confidence for annotation in data])
        # Found by name at the first save: pandera is slow to load.
        super().save(load_obj("tkre.datasets.frames.ANNOTATIONS").validate(frame, lazy=True))


class KnowledgeTextsDataset(JSONDataset):
    """Knowledge texts in a JSON Lines file, as a list."""

    DEFAULT_LOAD_ARGS: ClassVar[dict[str, Any]] = {
        "lines": True, "orient": "records", "dtype": False,
    }  # fmt: skip
    DEFAULT_SAVE_ARGS: ClassVar[dict[str, Any]] = {
        "lines": True, "orient": "records", "force_ascii": False,
    }  # fmt: skip

    def load(self) -> list[KnowledgeText]:
        """The texts in the order of the lines."""
        return texts.from_frame(super().load())

    def save(self, data: list[KnowledgeText]) -> None:
        """Writes a line per text."""
        super().save(texts.to_frame(data))


class RecordDataset(json_files.JSONDataset):
    """A JSON file that holds one pydantic model.

    Args:
        model: Import path of the model's class. It is imported at the first load.
        kwargs: Arguments of Kedro's ``json.JSONDataset``.
    """

    def __init__(self, *, model: str, **kwargs: Any) -> None:
        self._model = model
        super().__init__(**kwargs)

    def load(self) -> BaseModel:
        """The model.

        Raises:
            DatasetError: The file does not hold such a model.
        """
        model: type[BaseModel] = load_obj(self._model)
        return model.model_validate(super().load())

    def save(self, data: BaseModel) -> None:
        """Writes all fields."""
        super().save(data.model_dump(mode="json"))

    def preview(self) -> JSONPreview:
        """The file as it is."""
        return JSONPreview(json.dumps(self.load().model_dump(mode="json")))


class ResponsesDataset(json_files.JSONDataset):
    """A JSON file that holds the attempts of a language model, as a list."""

    def load(self) -> list[Response]:
        """The attempts in the order of the file."""
        return [Response.from_dict(record) for record in super().load()]

    def save(self, data: list[Response]) -> None:
        """Writes an object per attempt."""
        super().save([response.to_dict() for response in data])

    def unanswered(self) -> int:
        """Number of requests that no model has answered; 0 without a file that can be read."""
        with suppress(DatasetError):
            return sum(not response.settled for response in self._copy().load())
        return 0


class TableDataset(CSVDataset):
    """Kedro's CSV dataset with a rounded preview; the file keeps all digits.

    A relation may be called ``NA`` or ``1``: only an empty cell is a missing value, and columns of
    relations hold texts.
    """

    DEFAULT_LOAD_ARGS: ClassVar[dict[str, Any]] = {
        "keep_default_na": False, "na_values": [""],
        "dtype": dict.fromkeys(("relation", "gold", "predicted", "other", "id"), str),
    }  # fmt: skip

    def preview(self, nrows: int = 50) -> TablePreview:
        """Numbers of four digits; missing values are empty."""
        rows = self._copy().load().head(nrows).to_dict("records")
        return table_preview([{c: _rounded(value) for c, value in row.items()} for row in rows])


def _rounded(value: object) -> object:
    if pd.isna(value):
        return ""
    return float(FIGURE % value) if isinstance(value, float) else value
