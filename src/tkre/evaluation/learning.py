"""How training went: losses of pre-training and validation F1 of fine-tuning, epoch by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tkre.evaluation.figures import COLOURS, places_of
from tkre.evaluation.tables import PLACE

# What the losses of a stage are called, and which of its columns tells how it went.
STAGES = {"mslm": "mslm", "scl": "scl", "pairs": "pairs"}
FINETUNING = "fine-tuning"  # what that stage is called in the table


@dataclass(frozen=True)
class TrainedCell:
    """What is known of the training of a cell.

    Attributes:
        metrics: Its scores, with its place in the grid.
        pretraining: Losses by step, by stage.
        finetuning: Losses by step, with the validation scores of each epoch.
    """

    metrics: Mapping[str, Any]
    pretraining: Mapping[str, pd.DataFrame]
    finetuning: pd.DataFrame


def learning_table(cells: Sequence[TrainedCell]) -> pd.DataFrame:
    """One row for each cell, stage and epoch.

    Returns:
        The cell's place, ``seed``, ``variant``; ``stage``, ``epoch``; ``value``: the mean loss of
        the epoch's steps, or the validation micro-F1 in per cent after it (``fine-tuning``).
        Losses of variants that hide different shares of the words cannot be compared; how fast they
        fall can.
    """
    rows = []
    for cell in cells:
        place = {name: cell.metrics[name] for name in (*PLACE, "seed", "variant")}
        for stage, losses in cell.pretraining.items():
            means = losses.groupby("epoch")[STAGES[stage]].mean() if len(losses) else {}
            rows += [place | {"stage": stage, "epoch": e, "value": v} for e, v in means.items()]
        if "validation_f1" in cell.finetuning:
            scores = cell.finetuning.dropna(subset=["validation_f1"])
            pairs = zip(scores["epoch"], scores["validation_f1"], strict=True)
            rows += [place | {"stage": FINETUNING, "epoch": e, "value": v} for e, v in pairs]
    columns = [*PLACE, "seed", "variant", "stage", "epoch", "value"]
    return pd.DataFrame(rows, columns=columns)


def learning_curves(table: pd.DataFrame) -> go.Figure:
    """A panel for each stage, a line for each variant: the mean over seeds, epoch by epoch.

    Args:
        table: As ``learning_table`` gives it.
    """
    order = [*STAGES, FINETUNING]
    stages = [stage for stage in order if (table["stage"] == stage).any()]
    titles = [
        "validation micro-F1, %" if stage == FINETUNING else f"{stage} loss" for stage in stages
    ]
    figure = make_subplots(rows=1, cols=max(1, len(stages)), subplot_titles=titles or None)
    table = table.assign(name=table["variant"] + "; " + places_of(table))
    if table["name"].nunique() == table["variant"].nunique():
        table = table.assign(name=table["variant"])
    for n, name in enumerate(table["name"].unique()):
        for column, stage in enumerate(stages, start=1):
            rows = table[(table["name"] == name) & (table["stage"] == stage)]
            means = rows.groupby("epoch")["value"].mean()
            figure.add_scatter(
                x=means.index,
                y=means,
                name=escape(str(name)),
                legendgroup=str(n),
                showlegend=stage == stages[-1],
                mode="lines+markers" if len(means) == 1 else "lines",
                line={"color": COLOURS[n % len(COLOURS)]},
                row=1,
                col=column,
            )
            figure.update_xaxes(title="epoch", row=1, col=column)
    how = ", mean over seeds" if table["seed"].nunique() > 1 else ""
    figure.update_layout(title=f"Training{how}", template="plotly_white")
    return figure
