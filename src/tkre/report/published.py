"""Figures of published results in tables of other pages, filled in from ``docs/results``.

A comment above a Markdown table names a source for each of its last columns:

.. code-block:: text

    <!-- results: shots.micro_f1 shots=16 | semeval.difference | demo.natural_f1 -->

A source is an experiment and a metric of its summary (``difference`` is that of micro-F1), and
whatever else tells its settings apart. The variant of a row is the first code in it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from tkre.report.tables import difference_in_words, missing, score_in_words

_TABLE = re.compile(r"^<!-- results: (.+?) -->\n\n?((?:\|.*\n)+)", re.MULTILINE)
_CODE = re.compile(r"`([^`]+)`")
_CELLS = re.compile(r"(?<!\\)\|")


def published(table: Path) -> pd.DataFrame:
    """A published table. ``none`` is the name of no language model, no missing value."""
    return pd.read_csv(table, keep_default_na=False, na_values=[""])


def filled(text: str, folder: Path) -> str:
    """A page with the figures of its tables as ``<folder>/<experiment>/summary.csv`` has them.

    Raises:
        ValueError: A source does not exist, or names several settings of a variant; a row names
            no variant.
    """

    def table(match: re.Match[str]) -> str:
        sources = [source.strip() for source in match[1].split("|")]
        head, marks, *rows = match[2].splitlines()
        lines = [head, marks, *(_row(row, sources, folder) for row in rows)]
        return match[0].removesuffix(match[2]) + "".join(f"{line}\n" for line in lines)

    return _TABLE.sub(table, text)


def _row(row: str, sources: list[str], folder: Path) -> str:
    variant = _CODE.search(row)
    if variant is None:
        raise ValueError(f"no variant in the row {row!r}: write it as `code`")
    cells = [cell.strip() for cell in _CELLS.split(row)[1:-1]]
    figures = [_figure(source, variant[1], folder) for source in sources]
    return f"| {' | '.join([*cells[: -len(sources)], *figures])} |"


def _figure(source: str, variant: str, folder: Path) -> str:
    """A figure with its number of seeds; nothing for a variant without one."""
    name, *settings = source.split()
    experiment, _, metric = name.partition(".")
    path = folder / experiment / "summary.csv"
    if not path.is_file():
        raise ValueError(f"{source!r}: {path} is missing: kedro results write {experiment}")
    summary, difference = published(path), metric == "difference"
    rows = summary[summary["metric"] == ("micro_f1" if difference else metric)]
    if rows.empty:
        known = ", ".join([*summary["metric"].unique(), "difference"])
        raise ValueError(f"{source!r}: there is no {metric!r} in {path}, only {known}")
    rows = rows[rows["variant"] == variant]
    for setting in settings:
        column, _, value = setting.partition("=")
        if column not in rows:
            raise ValueError(f"{source!r}: {path} has no column {column!r}")
        rows = rows[rows[column].astype(str) == value]
    if len(rows) > 1:
        differing = [c for c in rows if c not in ("mean", "std") and rows[c].nunique() > 1]
        raise ValueError(
            f"{source!r}: {path} has {len(rows)} settings of {variant}, which differ in "
            f"{', '.join(differing)}; add one of them, e.g. {differing[0]}="
            f"{rows[differing[0]].iloc[0]}"
        )
    if rows.empty or missing(rows["difference" if difference else "mean"].iloc[0]):
        return ""
    row = rows.iloc[0].to_dict()
    if difference:
        return difference_in_words(row)
    return f"{score_in_words(row)} ({row['seeds']})"
