"""The tables of an experiment as text: what a terminal and a page of results both show."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from tkre.evaluation.llm_comparison import F1, F1_STD
from tkre.evaluation.results import GROUP_KEYS, varies

FIGURE = "%.4g"  # how figures of tables are written that are shown whole, of whatever size

AXES = {
    "synthetic": "synthetic, x K",
    "noise": "noise, %",
    "filtered": "filtered",
    "llm": "language model",
}

# What of the tables beside the scores is shown: title, how it is to be read, columns and headings.
DETAILS: dict[str, tuple[str, str, dict[str, str]]] = {
    "filter": (
        "the filter of synthetic sentences",
        "per cent; precision and recall of the planted wrong labels among the refused; recovered: "
        "the share of the F1 that they cost",
        {
            "rejected": "refused",
            "precision": "precision",
            "recall": "recall",
            "lost": "right ones refused",
            "unfiltered_f1": "F1 without",
            "filtered_f1": "F1 with",
            "recovered": "recovered",
        },
    ),
    "implicit": (
        "explicit and implicit relations",
        "micro-F1 where a trigger word of the relation stands in the sentence, and where none "
        "does; undecided: no flag of the corpus and no trigger word known to decide by",
        {
            "explicit_f1": "explicit",
            "explicit_rows": "rows",
            "implicit_f1": "implicit",
            "implicit_rows": "rows",
            "undecided_rows": "undecided",
            "difference": "difference",
        },
    ),
    "calibration": (
        "calibration",
        "per cent; calibration error before and after temperature scaling; share of the sentences "
        "answered, and right among them, where a precision of 90 is wanted",
        {
            "ece_before": "ECE before",
            "ece_after": "ECE after",
            "aurc": "area under risk-coverage",
            "coverage_at_90": "answered",
            "precision_at_90": "right",
        },
    ),
}


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text.

    Attributes:
        title: What it is of.
        note: How its figures are to be read.
        columns: Their headings; the first ``labels`` of them are labels, the others figures.
        labels: How many.
        rows: As many cells each as there are columns.
    """

    title: str
    note: str
    columns: list[str]
    labels: int
    rows: list[list[str]]


def score_tables(summary: pd.DataFrame, cells: pd.DataFrame) -> Iterator[TextTable]:
    """One table for each corpus and K, a row for each variant and whatever else varies.

    Args:
        summary: Of an experiment (``tables.summary_table``).
        cells: Of the same one.
    """
    for (corpus, shots), group in summary.groupby(["corpus", "shots"], sort=False):
        of_group = cells[(cells["corpus"] == corpus) & (cells["shots"] == shots)]
        seeds = [str(seed) for seed in sorted(of_group["seed"].unique())]
        spread = f"mean ± standard deviation over the seeds {', '.join(seeds)}"
        axes = [axis for axis in AXES if varies(group, axis)]
        means = group.set_index(["metric", "variant", *GROUP_KEYS])["mean"]
        official = not means.loc["official_f1"].equals(means.loc["micro_f1"])
        columns = ["variant", *(AXES[axis] for axis in axes), "micro-F1", "to baseline, 95 %"]
        yield TextTable(
            title=f"{corpus}, K = {shots}",
            note=f"per cent; {spread if len(seeds) > 1 else f'seed {seeds[0]}'}",
            columns=[*columns, *(["official F1"] if official else []), "P", "R", "s/cell"],
            labels=1 + len(axes),
            rows=list(_rows(group, of_group, axes, official=official)),
        )


def detail_tables(name: str, table: pd.DataFrame) -> Iterator[TextTable]:
    """A table beside the scores, one for each corpus and K.

    Args:
        name: One of ``DETAILS``.
        table: Of an experiment.
    """
    title, note, figures = DETAILS[name]
    shown = {column: heading for column, heading in figures.items() if column in table}
    for (corpus, shots), group in table.groupby(["corpus", "shots"], sort=False):
        axes = [axis for axis in AXES if axis in group and varies(group, axis)]
        yield TextTable(
            title=f"{title}: {corpus}, K = {shots}",
            note=note,
            columns=["variant", *(AXES[axis] for axis in axes), *shown.values()],
            labels=1 + len(axes),
            rows=[
                [
                    str(row["variant"]),
                    *(_said(row[axis]) for axis in axes),
                    *(_figure(row[column], whole=column.endswith("_rows")) for column in shown),
                ]
                for row in group.to_dict("records")
            ],
        )


def llm_tables(llms: pd.DataFrame) -> Iterator[TextTable]:
    """Language models side by side: one table for each corpus and K.

    Args:
        llms: Of an experiment (``llms.llms_table``).
    """
    figures = {
        "explanation_validity": "explanations valid",
        "synthesis_validity": "sentences valid",
        "synthesis_yield": "of those wanted",
        "distinct_2": "distinct-2",
        "largest_overlap": "overlap",
        "distinct_pairs": "distinct pairs",
        "words": "words",
    }
    variants = [column for column in llms if column.startswith(F1)]
    for (corpus, shots), group in llms.groupby(["corpus", "shots"], sort=False):
        axes = ["synthetic"] if group["synthetic"].nunique() > 1 else []
        yield TextTable(
            title=f"language models: {corpus}, K = {shots}",
            note="per cent, but for words per sentence",
            columns=[
                "language model",
                *(AXES[axis] for axis in axes),
                *figures.values(),
                *(f"F1 {column.removeprefix(F1)}" for column in variants),
            ],
            labels=1 + len(axes),
            rows=[
                [
                    f"{row['llm']} ({row['model']})",
                    *(str(row[axis]) for axis in axes),
                    *(_figure(row[column]) for column in figures),
                    *(_f1(row, column.removeprefix(F1)) for column in variants),
                ]
                for row in group.to_dict("records")
            ],
        )


def _f1(row: Mapping[Hashable, Any], variant: str) -> str:
    spread = f" ± {row[F1_STD + variant]:.1f}" if row["seeds"] > 1 else ""
    mean = _figure(row[F1 + variant])
    return mean + spread if mean else ""


def _figure(value: float, *, whole: bool = False) -> str:
    return "" if pd.isna(value) else f"{value:.0f}" if whole else f"{value:.1f}"


def _rows(
    summary: pd.DataFrame, cells: pd.DataFrame, axes: list[str], *, official: bool
) -> Iterator[list[str]]:
    keys = ["variant", *GROUP_KEYS]
    seconds = cells.groupby(keys)["seconds"].mean()
    for key, group in summary.groupby(keys, sort=False):
        place = dict(zip(keys, key, strict=True))
        of = group.set_index("metric")
        yield [
            str(place["variant"]),
            *(_said(place[axis]) for axis in axes),
            _spread(of.loc["micro_f1"]),
            _difference(of.loc["micro_f1"]),
            *([_spread(of.loc["official_f1"])] if official else []),
            _figure(of.loc["micro_precision", "mean"]),
            _figure(of.loc["micro_recall", "mean"]),
            f"{seconds[key]:.0f}",
        ]


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _spread(row: pd.Series) -> str:
    if pd.isna(row["mean"]):  # a corpus without a labelled row to score on
        return "not scored"
    return f"{row['mean']:.1f}" + (f" ± {row['std']:.1f}" if row["seeds"] > 1 else "")


def _difference(row: pd.Series) -> str:
    if pd.isna(row["difference"]):
        return ""
    low, high = row["difference_low"], row["difference_high"]
    return f"{row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"
