"""Training curves: loss of each pre-training stage and validation F1 of fine-tuning, per epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tkre.evaluation.results import GROUP_KEYS

FINETUNING = "fine-tuning"  # value of the column ``stage`` for validation F1


@dataclass(frozen=True)
class TrainedCell:
    """Training record of one cell.

    Attributes:
        metrics: Scores of the cell with its coordinates (``results.score_cell``).
        pretraining: Losses by stage, one row per step; the column of a stage's loss has the
            stage's name.
        finetuning: Losses per step, with the validation score of each epoch.
    """

    metrics: Mapping[str, Any]
    pretraining: Mapping[str, pd.DataFrame]
    finetuning: pd.DataFrame


def training_curves(cells: Sequence[TrainedCell]) -> pd.DataFrame:
    """One row per cell, stage and epoch.

    Returns:
        ``GROUP_KEYS``, ``seed``, ``variant``, ``stage``, ``epoch`` and ``value``: mean loss over
        the steps of the epoch, or validation micro-F1 in per cent after it (``fine-tuning``).
        Losses of variants that mask different shares of words are not comparable.
    """
    rows = []
    for cell in cells:
        place = {name: cell.metrics[name] for name in (*GROUP_KEYS, "seed", "variant")}
        for stage, losses in cell.pretraining.items():
            means = losses.groupby("epoch")[stage].mean() if len(losses) else {}
            rows += [place | {"stage": stage, "epoch": e, "value": v} for e, v in means.items()]
        if "validation_f1" in cell.finetuning:
            scores = cell.finetuning.dropna(subset=["validation_f1"])
            pairs = zip(scores["epoch"], scores["validation_f1"], strict=True)
            rows += [place | {"stage": FINETUNING, "epoch": e, "value": v} for e, v in pairs]
    columns = [*GROUP_KEYS, "seed", "variant", "stage", "epoch", "value"]
    return pd.DataFrame(rows, columns=columns)
