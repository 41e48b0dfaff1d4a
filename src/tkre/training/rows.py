"""The rows of a fine-tuning run: swapped ones, and how they become batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.modeling.tokenization import Encoded
from tkre.training.inference import collate


def swapped(rows: Sequence[Instance], schema: RelationSchema) -> list[Instance]:
    """The rows with head and tail exchanged, under their inverse relations.

    A row whose relation has no inverse in the schema is left out; one of the negative relation
    keeps its label.
    """
    exchanged = []
    for row in rows:
        inverse = schema.inverse_of(str(row.relation))
        if inverse is not None:
            exchanged.append(replace(row.exchanged(), id=f"{row.id}/swapped", relation=inverse))
    return exchanged


@dataclass(frozen=True)
class LabelledRow:
    """Tokens and label number of a training row."""

    encoded: Encoded
    label: int

    def __len__(self) -> int:
        return len(self.encoded)


def collate_labelled(padding: int) -> Callable[[list[LabelledRow]], dict[str, Tensor]]:
    """Makes batches of labelled rows, padded with a token id."""

    def collate_rows(rows: list[LabelledRow]) -> dict[str, Tensor]:
        batch = collate([row.encoded for row in rows], padding)
        return batch | {"labels": torch.tensor([row.label for row in rows])}

    return collate_rows
