"""The settings of a classifier in its ``config.json``, without torch and transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from tkre.core.documents import read_json
from tkre.modeling.weights import WeightsError

CONFIG_FILE = "config.json"


@dataclass(frozen=True)
class ClassifierSettings:
    """The settings of a classifier; ``RelationClassifierConfig`` has the same.

    Attributes:
        id2label: Label names by number.
        encoder: Configuration of the encoder, as a dictionary with its ``model_type``.
        head: A name of ``modeling.params.HEADS``.
        options: Settings of another package's head.
        layers: For ``spans``: the encoder layers it pools, counted from 1; deeper layers are not
            kept. Empty for other heads, which read the last layer.
        by_order: For ``spans``: whether the tokens between the mentions have other features where
            the tail comes first.
        before_mentions: For ``spans``: whether the two tokens before each mention have features.
        part_dropout: For ``spans``: share of the training rows without features of what is between
            the mentions.
        trigger_attention: For ``spans``: whether it has one more vector, pooled by attention.
        head_dropout: Dropout of the head's features.
        max_length: Longest sentence in tokens.
        typed_markers: Whether markers, or prompts, hold entity types.
        phrases: For ``prompt`` and ``virtual_words``: token ids of the relations' phrases, by
            label.
        temperature: For ``prototypes``: divisor of the cosines. Cosines of a sentence with two
            definitions differ by some hundredths.
        both_directions: Whether predictions average a sentence and its inverted reading, where the
            schema knows the inverse relation.
        negative: The label "none of the others".
        least_probability: Smallest probability of a predicted relation; below it a sentence gets
            the negative label.
        inverses: By label, the label with head and tail exchanged.
        allowed_types: By label, the head types and the tail types that the schema allows; labels
            that join any types are left out. Empty if predictions are not guided by types.
        entity_types: All types of the schema; None for a classifier of an older version.
        natural_prior: Shares of the labels in natural text. The classifier's own scores are then
            those under equal shares. Empty for a classifier that has read no natural text.
    """

    id2label: Mapping[int, str]
    encoder: Mapping[str, Any] = field(default_factory=dict)
    head: str = "markers"
    options: Mapping[str, Any] = field(default_factory=dict)
    layers: Sequence[int] = field(default_factory=list)
    by_order: bool = False
    before_mentions: bool = False
    part_dropout: float = 0.0
    trigger_attention: bool = False
    head_dropout: float = 0.1
    max_length: int = 128
    typed_markers: bool = True
    phrases: Mapping[str, Sequence[int]] = field(default_factory=dict)
    temperature: float = 0.05
    both_directions: bool = False
    negative: str | None = None
    least_probability: float = 0.0
    inverses: Mapping[str, str] = field(default_factory=dict)
    allowed_types: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    entity_types: Sequence[str] | None = None
    natural_prior: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The settings of the classifier in a folder.

        Args:
            folder: Folder of ``config.json``; transformers leaves out defaults there.

        Raises:
            WeightsError: It names no labels.
        """
        file = folder / CONFIG_FILE
        raw = read_json(file)
        if not isinstance(raw, dict) or not isinstance(raw.get("id2label"), dict):
            raise WeightsError(f"{file} names no labels (id2label): is it a relation classifier's?")
        known = {f.name for f in fields(cls)}
        given = {name: value for name, value in raw.items() if name in known}
        labels = {int(number): label for number, label in raw["id2label"].items()}
        return cls(**given | {"id2label": labels})

    @cached_property
    def label2id(self) -> dict[str, int]:
        """Numbers of the labels."""
        return {label: number for number, label in self.id2label.items()}

    @property
    def num_labels(self) -> int:
        """Number of labels."""
        return len(self.id2label)


# Kinds of encoders with a table of positions, and the places at its beginning that no token takes.
_POSITIONS = {
    "bert": 0, "distilbert": 0, "electra": 0, "albert": 0, "ernie": 0, "camembert": 2, "mpnet": 2,
    "roberta": 2, "xlm-roberta": 2, "xlm-roberta-xl": 2,
}  # fmt: skip


def most_tokens(config: Mapping[str, Any]) -> int | None:
    """Longest text of an encoder by its ``config.json``; None without a table of positions."""
    unused = _POSITIONS.get(config.get("model_type", ""))
    places = config.get("max_position_embeddings")
    return None if unused is None or places is None else places - unused
