"""Whether probabilities can be trusted: calibration, risk and coverage, thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from tkre.evaluation.calibration_report import COVERAGES
from tkre.report.blocks import Block, Chart, Panel, Prose, Section, table_of, titled
from tkre.report.content import ReportContent
from tkre.report.figures import mean_risks, pooled_bins
from tkre.report.lines import Axis, Series, legend, line_panel
from tkre.report.tables import detail_tables

_WHOLE = (0.0, 100.0)
_TOLD = (10, 25, 50, 75, 90, 100)  # per cent of the answers that the table gives the risk at
_SMALL, _LARGE = 2.5, 10.0  # radius of the mark of a bin, by its share of the sentences


def confidence(content: ReportContent) -> Section:
    """Reliability before and after the temperature, risk against coverage, thresholds."""
    blocks: list[Block] = []
    for name, group in content.groups():
        by_setting = _by_setting(content, group)
        if by_setting:
            blocks.append(_chart(name, by_setting))
    if not blocks:
        return Section("calibration", "Calibration", [Prose(["Nothing is known of calibration."])])
    if (table := content.tables.get("calibration")) is not None:
        blocks += [titled(shown) for shown in detail_tables("calibration", table)]
    notes = {
        c.calibrator["note"]
        for c in content.cells
        if c.calibrator is not None and c.calibrator["note"]
    }
    blocks += [Prose([f"Note: {note}." for note in sorted(notes)])] if notes else []
    return Section("calibration", "Calibration", blocks)


def _by_setting(content: ReportContent, group: pd.DataFrame) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for setting, cell in zip(group["setting"], content.cells_of(group), strict=True):
        if cell.calibrator is not None and cell.calibrator["rows"]:
            found.setdefault(setting, []).append(cell.calibrator)
    return found


def _chart(name: str, by_setting: Mapping[str, Sequence[Mapping[str, Any]]]) -> Chart:
    claims = {
        "before": "As the classifier puts it",
        "after": "With its temperature",
    }
    panels = []
    for when, title in claims.items():
        series = [_reliability(setting, of, when) for setting, of in by_setting.items()]
        drawn = line_panel(
            series, f"{title}, {name}", Axis("confidence, %", range=_WHOLE),
            Axis("right, %", range=_WHOLE), diagonal=True,
        )  # fmt: skip
        panels.append(Panel(f"{title}: right, %", drawn))
    risks = [_risk(setting, of) for setting, of in by_setting.items()]
    drawn = line_panel(
        risks, f"Risk and coverage, {name}",
        Axis("answers given, the surest first, %", range=_WHOLE), Axis("wrong among them, %"),
    )  # fmt: skip
    panels.append(Panel("Wrong among the answers given, %", drawn))
    note = (
        "Left: of the sentences that are claimed to be right with some confidence, how many are; "
        "on the dashed line claims are true, below it they are too bold. The larger a mark, the "
        "more sentences. Right: how many answers are wrong if only the surest are given. Negative "
        "labels are no answers."
    )
    return Chart(
        f"Calibration and coverage, {name}", note, panels, _table(name, by_setting), legend(risks)
    )


def _reliability(setting: str, of_seeds: Sequence[Mapping[str, Any]], when: str) -> Series:
    bins = pooled_bins([scores[f"reliability_{when}"] for scores in of_seeds])
    shares = bins["rows"] / max(int(bins["rows"].sum()), 1)
    return Series(
        setting,
        (100 * bins["confidence"]).tolist(),
        (100 * bins["accuracy"]).tolist(),
        sizes=(_SMALL + _LARGE * np.sqrt(shares)).tolist(),
    )


def _risk(setting: str, of_seeds: Sequence[Mapping[str, Any]]) -> Series:
    risks = mean_risks(of_seeds)
    return Series(setting, (100 * COVERAGES).tolist() if risks else [], risks)


def _table(name: str, by_setting: Mapping[str, Sequence[Mapping[str, Any]]]) -> Any:
    return table_of(
        _rows(by_setting),
        f"Calibration and coverage: {name}",
        "per cent; ECE: expected calibration error; then the wrong ones among the surest answers",
        {"setting": "variant"},
        {"temperature": "temperature", "ece_before": "ECE before", "ece_after": "ECE after"}
        | {f"at_{share}": f"wrong at {share}" for share in _TOLD},
    )


def _rows(
    by_setting: Mapping[str, Sequence[Mapping[str, Any]]],
) -> Iterator[dict[str, object]]:
    for setting, of_seeds in by_setting.items():
        frame = pd.DataFrame([dict(scores) for scores in of_seeds])
        plain = ["temperature", "ece_before", "ece_after"]
        means = frame[plain].astype(float).mean().to_dict()
        risks = mean_risks(of_seeds)
        told = {f"at_{share}": risks[share - 1] if risks else None for share in _TOLD}
        yield {"setting": setting, **means, **told}
