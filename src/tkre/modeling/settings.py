"""What a classifier's ``config.json`` says of reading and answering, read without transformers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class ClassifierSettings:
    """The settings that are needed to encode sentences and to draw labels from probabilities.

    ``RelationClassifierConfig`` has them all, under these names and with these defaults, and says
    what they mean; it can stand wherever these are wanted.
    """

    id2label: Mapping[int, str]
    encoder: Mapping[str, Any] = field(default_factory=dict)
    head: str = "markers"
    max_length: int = 128
    typed_markers: bool = True
    phrases: Mapping[str, Sequence[int]] = field(default_factory=dict)
    both_directions: bool = False
    negative: str | None = None
    least_probability: float = 0.0
    inverses: Mapping[str, str] = field(default_factory=dict)
    allowed_types: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    entity_types: Sequence[str] | None = None

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The settings of the classifier in a folder.

        Args:
            folder: With its ``config.json``, in which transformers leaves out what is as by
                default.

        Raises:
            ValueError: It names no labels.
        """
        file = folder / CONFIG_FILE
        raw = json.loads(file.read_text(encoding="utf-8"))
        if not raw.get("id2label"):
            raise ValueError(f"{file} names no labels (id2label): is it a relation classifier's?")
        known = {f.name for f in fields(cls)}
        given = {name: value for name, value in raw.items() if name in known}
        labels = {int(number): label for number, label in raw["id2label"].items()}
        return cls(**given | {"id2label": labels})

    @cached_property
    def label2id(self) -> dict[str, int]:
        """The numbers of the labels."""
        return {label: number for number, label in self.id2label.items()}

    @property
    def num_labels(self) -> int:
        """How many labels there are."""
        return len(self.id2label)
