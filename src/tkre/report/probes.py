"""Behavioural checks (``evaluation.probing``): tables of shares, and the section of the report."""

from __future__ import annotations

import pandas as pd

from tkre.evaluation.probing import CHECKS, shares
from tkre.report.tables import TextTable, table_of


def share_table(scored: pd.DataFrame, by: str, title: str, label: str = "") -> TextTable:
    """Shares of right answers, a row for each value of a column.

    Args:
        scored: Scored probes (``evaluation.probing.score_probes``).
        by: The column: ``relation``, ``setting``.
        title: Title.
        label: Heading of the column; its name if none.
    """
    headings = {check: check for check in CHECKS} | {"all": "all"}
    note = "share of right answers, per cent"
    return table_of(shares(scored, by), title, note, {by: label or by}, headings, decimals=0)
