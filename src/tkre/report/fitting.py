"""How training went: losses of pre-training and validation scores of fine-tuning."""

from __future__ import annotations

import pandas as pd

from tkre.report.blocks import Block, Chart, Panel, Prose, Section, table_of
from tkre.report.content import ReportContent
from tkre.report.figures import FINETUNING, beside_shots
from tkre.report.lines import Axis, Series, legend, line_panel
from tkre.training.stages import STAGES

_TITLES = {
    **{name: STAGES[name].loss for name in STAGES},
    FINETUNING: "validation micro-F1, %",
}


def fitting(content: ReportContent) -> Section:
    """Learning curves, a chart for each corpus and K."""
    table = content.tables.get("learning")
    blocks: list[Block] = []
    if table is not None and len(table):
        table = table.assign(setting=table["variant"] + beside_shots(table))
        for (corpus, shots), rows in table.groupby(["corpus", "shots"], sort=False):
            blocks.append(_curves(content, f"{corpus}, K = {shots}", rows))
    nothing = (
        "No losses of training are known." if content.validated
        else "Without a validation row there is no score of an epoch to draw, and the last epoch "
        "is kept. finetuning_losses.csv of each cell has the loss of every step."
    )  # fmt: skip
    return Section("training", "How training went", blocks or [Prose([nothing])])


def _curves(content: ReportContent, name: str, rows: pd.DataFrame) -> Chart:
    means = rows.groupby(["setting", "stage", "epoch"], sort=False)["value"].mean()
    means = means.reset_index().sort_values(["setting", "stage", "epoch"], kind="stable")
    settings = list(dict.fromkeys(rows["setting"]))
    panels = []
    for stage in (*STAGES, FINETUNING):
        if not (rows["stage"] == stage).any():
            continue
        series = [_series(means, setting, stage) for setting in settings]
        title = _TITLES[stage]
        drawn = line_panel(series, f"{title}, {name}", Axis("epoch", whole=True), Axis(title))
        panels.append(Panel(title[0].upper() + title[1:], drawn))
    named = [Series(setting, [], []) for setting in settings]
    table = table_of(
        means,
        f"Training: {name}",
        content.over_seeds("mean over seeds of ") + "an epoch's loss, or per cent",
        {"setting": "variant", "stage": "stage", "epoch": "epoch"},
        {"value": "value"},
        decimals=2,
    )
    note = (
        f"{content.over_seeds('Means over seeds. ')}Losses of variants that hide different shares "
        "of the words cannot be compared with one another; how fast they fall can. "
        + (
            "The epoch that is kept is chosen by the validation score." if content.validated
            else "The last epoch is kept: there was no validation row to choose one on."
        )
    )  # fmt: skip
    return Chart(f"Learning curves, {name}", note, panels, table, legend(named))


def _series(means: pd.DataFrame, setting: str, stage: str) -> Series:
    rows = means[(means["setting"] == setting) & (means["stage"] == stage)]
    return Series(setting, rows["epoch"].tolist(), rows["value"].tolist())
