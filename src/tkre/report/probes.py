"""Behavioural checks (``evaluation.probing``): tables of shares, and the section of the report."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from tkre.evaluation.error_analysis import sentences_of
from tkre.evaluation.probing import CHECKS, shares, worst_probes
from tkre.report.blocks import Block, Facts, Folded, Prose, Quote, Quotes, Table
from tkre.report.content import ReportContent
from tkre.report.formatting import highlighted
from tkre.report.tables import TextTable, table_of

_NOTE = (
    "Sentences that are made from the schema alone: the phrase of each relation between two names "
    "that fit its entity types. What they must be labelled as follows from how they are made. They "
    "are simpler than text, so a wrong answer tells more than a right one."
)


def share_table(scored: pd.DataFrame, by: str, title: str, heading: str) -> TextTable:
    """Shares of right answers (``evaluation.probing.shares``), a row for each value of a column."""
    headings = {name: name for name in (*CHECKS, "all")}
    note = "share of right answers, per cent"
    return table_of(shares(scored, by), title, note, {by: heading}, headings, decimals=0)


def probes(content: ReportContent) -> list[Block]:
    """Shares of right answers by variant, and by relation with the worst answers."""
    found = list(_probed(content))
    if not found:
        return []
    known = {check for scored in found for check in scored["check"]}
    blocks: list[Block] = [
        Prose([_NOTE]),
        Facts([(check, words) for check, words in CHECKS.items() if check in known]),
    ]
    for scored in found:
        place = scored["place"].iloc[0]
        blocks.append(Table(share_table(scored, "setting", f"Probes: {place}", "variant")))
    for scored in found:
        for setting, of_setting in scored.groupby("setting", sort=False):
            where = f", {of_setting['place'].iloc[0]}" if len(found) > 1 else ""
            blocks.append(_of_setting(content, f"{setting}{where}", of_setting))
    return blocks


def _probed(content: ReportContent) -> Iterator[pd.DataFrame]:
    """Scored probes of all cells of each corpus and K, with their setting."""
    for place, rows in content.placed.groupby("place", sort=False):
        cells = zip(rows["setting"], content.cells_of(rows), strict=True)
        frames = [cell.probes.assign(place=place, setting=setting)
                  for setting, cell in cells if cell.probes is not None]  # fmt: skip
        if frames and any(map(len, frames)):
            yield pd.concat(frames, ignore_index=True)


def _of_setting(content: ReportContent, name: str, scored: pd.DataFrame) -> Folded:
    table = share_table(scored, "relation", f"Probes of {name}, by relation", "relation")
    worst = worst_probes(scored, content.page.errors)
    quotes = [
        Quote(
            highlighted(instance),
            [
                ("check", row["check"]),
                ("expected", row["expected"]),
                ("predicted", f"{row['predicted']} ({row['probability']:.2f})"),
            ],
        )
        for instance, row in zip(sentences_of(worst), worst.to_dict("records"), strict=True)
    ]
    wrong = int((~scored["right"]).sum())
    note = (
        f"{len(quotes)} of {wrong:,} wrong answers, the most confident ones of each check in turn; "
        "probabilities are not calibrated."
    )
    return Folded(name, [Table(table), *([Quotes("", note, quotes)] if quotes else [])])
