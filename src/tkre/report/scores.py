"""How well the variants do: the main table, dots with their intervals, scores along the axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from tkre.report.blocks import Block, Chart, Panel, Prose, Section, Table, missing, table_of
from tkre.report.content import ReportContent
from tkre.report.curves import F1, Curve, curves
from tkre.report.dots import DotRow, dot_panel
from tkre.report.tables import score_tables


def scores(content: ReportContent) -> Section:
    """Tables and charts of F1."""
    several = content.several_seeds
    spread = "which stands beside each mean" if several else "of which one seed says nothing"
    blocks: list[Block] = [
        Prose(
            [
                "Micro-F1 is taken over all relations but the negative one. The interval says how "
                f"far the difference to {content.baseline} would move on other sentences of the "
                "same kind: both variants are scored on the same resampled sentences "
                f"({content.reporting.resamples:,} times). It does not hold the spread over seeds, "
                f"{spread}."
            ]
        )
    ]
    tables = score_tables(content.tables["summary"], content.tables["cells"])
    for table, (name, group) in zip(tables, content.groups(), strict=True):
        blocks.append(Table(table))
        if group["micro_f1"].notna().any():
            blocks.append(_dots(content, name, group))
    along = curves(content.tables["cells"], content.spec, content.variants)
    blocks += [_along(content, curve) for curve in along]
    return Section("scores", "Scores", blocks)


def _dots(content: ReportContent, name: str, group: pd.DataFrame) -> Chart:
    rows = [_scored(content, n, s, of) for n, (s, of) in enumerate(_settings(group))]
    shown = [
        DotRow(
            row["setting"], row["mean"], row["low"], row["high"],
            [(e.micro_f1, f"seed {e.seed}: {e.micro_f1:.1f}") for e in row["cells"].itertuples()]
            if content.several_seeds else [],
            row["series"],
        )
        for row in rows
    ]  # fmt: skip
    baseline = next((r["mean"] for r in rows if r["variant"] == content.baseline), None)
    panels = [
        Panel(F1, dot_panel(shown, f"Micro-F1, {name}", F1, reference=baseline)),
    ]
    if not all(missing(row["difference"]) for row in rows):
        differences = [_compared(content, row) for row in rows]
        axis = f"points of micro-F1 against {content.baseline}"
        title = f"Difference to {content.baseline}"
        panels.append(
            Panel(title.split(",", maxsplit=1)[0], dot_panel(differences, title, axis, reference=0))
        )
    table = table_of(
        rows,
        f"Micro-F1 by variant: {name}",
        "per cent; points for differences, with the ends of their interval",
        {"setting": "variant"},
        _means(content) | {"seeds": "seeds", "difference": "difference", "difference_low": "from",
                           "difference_high": "to"},
    )  # fmt: skip
    dots = (
        "Large dots are means over seeds, small ones are seeds, whiskers are one standard deviation"
        if content.several_seeds
        else f"Dots are the scores of seed {content.spec.seeds[0]}"
    )
    note = (
        f"{dots}; the dashed line is the baseline. Whiskers of differences are "
        f"{100 * content.reporting.confidence:g} % intervals."
    )
    return Chart(f"Micro-F1 by variant, {name}", note, panels, table)


def _means(content: ReportContent) -> dict[str, str]:
    """The columns of a score: one seed has no mean, and no standard deviation."""
    if not content.several_seeds:
        return {"mean": "micro-F1"}
    return {"mean": "mean", "std": "standard deviation"}


def _settings(group: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    for setting, cells in group.groupby("setting", sort=False):
        yield str(setting), cells


def _scored(
    content: ReportContent, number: int, setting: str, cells: pd.DataFrame
) -> dict[str, Any]:
    """A row of the summary with the ends of its whisker and the cells that it is of."""
    row = content.summary_of(cells) | {"setting": setting, "cells": cells, "series": number}
    mean, std = row["mean"], row["std"]
    ends = (None, None) if missing(std) else (mean - std, mean + std)
    return row | dict(zip(("low", "high"), ends, strict=True))


def _compared(content: ReportContent, row: dict[str, Any]) -> DotRow:
    if missing(row["difference"]):
        baseline = row["variant"] == content.baseline
        return DotRow(f"{row['setting']}: {'the baseline' if baseline else 'not compared'}", None)
    ends = row["difference_low"], row["difference_high"]
    return DotRow(row["setting"], row["difference"], *ends, series=row["series"])


def _along(content: ReportContent, curve: Curve) -> Chart:
    rows = [
        {"name": line.name, "at": f"{x:g}", "mean": mean, "std": std}
        for line in curve.lines
        for x, mean, std in zip(line.x, line.mean, line.std, strict=True)
    ]
    name = f"Micro-F1 along {curve.title}"
    table = table_of(
        rows, name,
        "per cent" + content.over_seeds("; mean and standard deviation over seeds"),
        {"name": "variant", "at": curve.title}, _means(content),
    )  # fmt: skip
    note = content.over_seeds("Whiskers are one standard deviation over seeds. ")
    note += "A dotted level has no value of its own."
    return Chart(name, note, [Panel(F1, curve.panel)], table, curve.legend)
