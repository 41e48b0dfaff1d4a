"""Records: JSON files <-> pydantic models and dataclasses."""

from __future__ import annotations

import json
from typing import Any

from kedro.utils import load_obj
from kedro_datasets._typing import JSONPreview
from kedro_datasets.json import JSONDataset
from pydantic import BaseModel

from tkre.generation.llm.protocol import Response


class RecordDataset(JSONDataset):
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


class ResponsesDataset(JSONDataset):
    """A JSON file that holds the attempts of a language model, as a list."""

    def load(self) -> list[Response]:
        """The attempts in the order of the file."""
        return [Response.from_dict(record) for record in super().load()]

    def save(self, data: list[Response]) -> None:
        """Writes an object per attempt."""
        super().save([response.to_dict() for response in data])
