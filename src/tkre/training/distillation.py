"""Knowledge distillation: a classifier learns from the probabilities of another one.

Hinton, Vinyals and Dean 2015, arXiv 1503.02531, without a temperature: the teacher is calibrated by
its prior of natural text, and its doubt is what is taught.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

import numpy as np
import pandas as pd

from tkre.core.instance import Instance
from tkre.training.batching import Batch, LabelledRow, Shares, collate_shares, collate_weighted


@dataclass(frozen=True)
class Distilled:
    """Rows that a teacher has labelled.

    Attributes:
        rows: Rows with the teacher's likeliest relation.
        shares: Its R probabilities by id of the row, in the schema's order.
    """

    rows: Sequence[Instance] = ()
    shares: Mapping[str, Shares] = field(default_factory=dict)

    @classmethod
    def by(cls, predictions: pd.DataFrame, rows: Sequence[Instance], names: Sequence[str]) -> Self:
        """The rows with the probabilities of a predictions frame of the same rows.

        Args:
            predictions: The teacher's (``evaluation.predictions.prediction_frame``).
            rows: Its rows, in their order.
            names: The R relations of the schema.

        Raises:
            ValueError: These are predictions of other rows.
        """
        if list(predictions["id"]) != [row.id for row in rows]:
            raise ValueError("the teacher has labelled other rows than those to be trained on")
        shares_NR = predictions[[f"p.{name}" for name in names]].to_numpy(dtype=np.float32)
        labelled = [
            replace(row, relation=names[n])
            for row, n in zip(rows, shares_NR.argmax(axis=1), strict=True)
        ]
        return cls(labelled, {row.id: p for row, p in zip(rows, shares_NR, strict=True)})

    def collation(self, padding: int, labels: int) -> Callable[[Sequence[LabelledRow]], Batch]:
        """What makes batches of training rows: with shares where there are such rows."""
        if self.rows:
            return partial(collate_shares, padding=padding, labels=labels)
        return partial(collate_weighted, padding=padding)
