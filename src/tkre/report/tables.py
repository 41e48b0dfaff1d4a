"""Tables as text: one object that HTML, Markdown and the terminal show.

Also the names of settings: a *place* is corpus and K, a *setting* a variant with whatever else
differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from rich import box
from rich.table import Table
from rich.text import Text

from tkre.core.params import NO_LLM
from tkre.evaluation.llm_comparison import F1, F1_STD
from tkre.evaluation.metrics import METRICS, f1_first
from tkre.evaluation.results import GROUP_KEYS, varies
from tkre.report.formatting import counted

FIGURE = "%.4g"  # format of numbers in CSV files that are shown whole

AXES = {
    "synthetic": "synthetic, x K",
    "noise": "noise, %",
    "filtered": "filtered",
    "annotated": "annotated",
    "chosen": "chosen",
    "llm": "language model",
}

# Tables beside the scores: title, note, columns of numbers with their headings.
DETAILS: dict[str, tuple[str, str, dict[str, str]]] = {
    "filter": (
        "filter of synthetic sentences",
        "per cent; precision and recall of planted wrong labels among the rejected rows; "
        "recovered: share of the F1 lost to noise that the filter restores",
        {
            "rejected": "rejected",
            "precision": "precision",
            "recall": "recall",
            "lost": "right ones rejected",
            "unfiltered_f1": "F1 without",
            "filtered_f1": "F1 with",
            "recovered": "recovered",
        },
    ),
    "implicit": (
        "explicit and implicit relations",
        "micro-F1 of sentences with a trigger word of their relation and of those without; "
        "undecided: neither a flag of the corpus nor a known trigger word",
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
        "per cent; expected calibration error before and after temperature scaling; share of "
        "answers given, and right among them, at a target precision of 90",
        {
            "ece_before": "ECE before",
            "ece_after": "ECE after",
            "aurc": "area under risk-coverage",
            "coverage_at_90": "answered",
            "precision_at_90": "right",
        },
    ),
}
_LLM_COLUMNS = {
    "explanation_validity": "explanations valid",
    "synthesis_validity": "sentences valid",
    "synthesis_yield": "of those wanted",
    "distinct_2": "distinct-2",
    "largest_overlap": "overlap",
    "distinct_pairs": "distinct pairs",
    "words": "words",
}


@dataclass(frozen=True)
class TextTable:
    """A table whose cells are text.

    Attributes:
        title: Title.
        note: How its numbers are read.
        columns: Headings; the first ``labels`` of them are of words, the others of numbers.
        labels: Number of columns of words.
        rows: As many cells each as there are columns.
    """

    title: str
    note: str
    columns: list[str]
    labels: int
    rows: list[list[str]]


def table_of(
    rows: pd.DataFrame | Iterable[Mapping[Any, Any]],
    title: str,
    note: str,
    labels: Mapping[str, str],
    figures: Mapping[str, str],
    decimals: int = 1,
) -> TextTable:
    """A frame or records as a table of text.

    Args:
        rows: Frame, or records.
        title: Title.
        note: How its numbers are read.
        labels: Headings of columns of words, by column; columns without any value are left out.
        figures: Headings of columns of numbers, by column; those without any are left out too.
        decimals: Decimals of numbers that are no counts.
    """
    frame = rows if isinstance(rows, pd.DataFrame) else pd.DataFrame(list(rows))
    named = [c for c in labels if c in frame and (frame.empty or any(map(words, frame[c])))]
    shown = [c for c in figures if c in frame and (frame.empty or frame[c].notna().any())]
    return TextTable(
        title=title,
        note=note,
        columns=[*(labels[column] for column in named), *(figures[column] for column in shown)],
        labels=len(named),
        rows=[
            [*(words(row[c]) for c in named), *(number(row[c], decimals) for c in shown)]
            for row in frame.to_dict("records")
        ],
    )


def words(value: Any) -> str:
    """A value as a label: ``yes`` and ``no`` for a boolean, nothing if missing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not missing(value):
        return f"{value:g}"
    return "" if missing(value) else str(value)


def number(value: Any, decimals: int = 1) -> str:
    """A number as text: integers without decimals, no negative zero, nothing if missing."""
    if missing(value):
        return ""
    if isinstance(value, str):
        return value
    return f"{value:z,.{decimals}f}" if isinstance(value, float) else f"{value:,}"


def missing(value: Any) -> bool:
    """Whether a cell of a table is empty."""
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def placed(frame: pd.DataFrame) -> pd.DataFrame:
    """A table with ``place`` (``toy, K = 8``) and ``setting`` (variant and what else differs).

    Args:
        frame: Has ``GROUP_KEYS`` and ``variant``.
    """
    place = frame["corpus"].astype(str) + ", K = " + frame["shots"].astype(str)
    return frame.assign(place=place, setting=frame["variant"] + beside_shots(frame))


def beside_shots(frame: pd.DataFrame) -> pd.Series:
    """Parts of the coordinates beside corpus and K that differ, as words after a comma."""
    parts = pd.Series("", index=frame.index, dtype=object)
    if varies(frame, "synthetic"):
        parts += ", " + frame["synthetic"].astype(str) + " x K synthetic"
    if varies(frame, "noise"):
        parts += ", " + frame["noise"].astype(str) + " % noise"
    if varies(frame, "filtered"):
        parts += frame["filtered"].map({True: ", filtered", False: ""})
    if varies(frame, "annotated"):
        parts += frame["annotated"].map(lambda rows: f", {rows} annotated" if rows else "")
    if varies(frame, "chosen"):
        parts += ", chosen " + frame["chosen"].str.replace("_", " ")
    if varies(frame, "llm"):
        parts += frame["llm"].map(lambda llm: "" if llm == NO_LLM else f", written by {llm}")
    return parts


def best_setting(group: pd.DataFrame) -> str | None:
    """The setting with the highest mean micro-F1 over seeds; None where nothing was scored."""
    means = group.groupby("setting", sort=False)["micro_f1"].mean().dropna()
    return None if means.empty else str(means.idxmax())


def score_tables(summary: pd.DataFrame, cells: pd.DataFrame) -> Iterator[TextTable]:
    """One table for each corpus and K, a row for each setting.

    Args:
        summary: Summary of an experiment (``results.summary_table``); a column ``needs`` is shown.
        cells: Its cells (``results.cells_table``).
    """
    for (corpus, shots), group in summary.groupby(["corpus", "shots"], sort=False):
        of_group = cells[(cells["corpus"] == corpus) & (cells["shots"] == shots)]
        seeds = [str(seed) for seed in sorted(of_group["seed"].unique())]
        over = f"mean ± sample standard deviation over the seeds {', '.join(seeds)}"
        means = group.set_index(["metric", "variant", *GROUP_KEYS])["mean"]
        official = not means.loc["official_f1"].equals(means.loc["micro_f1"])
        metrics = {name: METRICS[name].heading or METRICS[name].title for name in f1_first()}
        if not official:
            del metrics["official_f1"]
        yield table_of(
            _score_rows(group, of_group),
            f"{corpus}, K = {shots}",
            f"per cent; {over if len(seeds) > 1 else f'seed {seeds[0]}'}"
            f"{_resampled(group)}{_fewer_rows(of_group)}",
            {"variant": "variant", "needs": "language model gives"}
            | {a: h for a, h in AXES.items() if varies(group, a)},
            {"seeds": "seeds", "micro_f1": metrics.pop("micro_f1"), "interval": "95 %"}
            | {"difference": "to baseline, 95 %"}
            | metrics
            | {"natural_f1": "F1 on natural text"}
            | {"seconds": "s/cell"},
        )


def _resampled(summary: pd.DataFrame) -> str:
    """What the intervals are over, in words."""
    if summary["difference"].isna().all() and "low" not in summary:
        return ""
    over = "seeds and test rows" if summary["seeds"].max() > 1 else "test rows"
    if "low" not in summary and over != "test rows":  # published before the others
        over = "test rows alone, of an earlier kind: other seeds are not in them"
    several = "; differences over the seeds that both have" * (summary["seeds"].nunique() > 1)
    return f"; intervals over {over}{several}"


def _fewer_rows(cells: pd.DataFrame) -> str:
    """Variants that were scored on fewer sentences than others of their seed, in words."""
    most = cells.groupby("seed")["rows"].transform("max")
    # Before the selection: a column that is assigned to an empty frame would fill it.
    fewer = cells.assign(most=most)[cells["rows"] < most].drop_duplicates("variant")
    named = (f"{r.variant} on {r.rows:,} of {r.most:,} sentences" for r in fewer.itertuples())
    return "".join(f"; {words}" for words in named)


def _score_rows(summary: pd.DataFrame, cells: pd.DataFrame) -> Iterator[dict[str, Any]]:
    keys = ["variant", *GROUP_KEYS]
    seconds = cells.groupby(keys)["seconds"].mean()
    for key, group in summary.groupby(keys, sort=False):
        metrics = {row["metric"]: row for row in group.to_dict("records")}
        yield (
            dict(zip(keys, key, strict=True))
            | {"needs": next(iter(group.get("needs", [])), None)}
            | {metric: _score(metric, row) for metric, row in metrics.items()}
            | {"interval": _ends(metrics["micro_f1"])}
            | {"difference": difference_in_words(metrics["micro_f1"])}
            | {"seeds": metrics["micro_f1"]["seeds"], "seconds": f"{seconds[key]:.0f}"}
        )


def _score(metric: str, row: Mapping[Any, Any]) -> str:
    kind = METRICS[metric].kind if metric in METRICS else None
    if kind in ("precision", "recall"):  # beside F1, whose deviation is shown
        return number(row["mean"])
    if missing(row["mean"]):  # a corpus without a labelled row to score on
        return "not scored"
    return score_in_words(row)


def score_in_words(row: Mapping[Any, Any]) -> str:
    """A mean with its deviation over seeds, if there are several: a row of a summary."""
    return f"{row['mean']:.1f}" + (f" ± {row['std']:.1f}" if row["seeds"] > 1 else "")


def difference_in_words(row: Mapping[Any, Any]) -> str:
    """A difference with its interval, and its seeds if they are fewer: a row of a summary."""
    if missing(row["difference"]):
        return ""
    low, high = row["difference_low"], row["difference_high"]
    seeds = int(row.get("difference_seeds", row["seeds"]))
    over = f" ({counted(seeds, 'seed')})" if seeds < row["seeds"] else ""
    return f"{row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]{over}"


def _ends(row: Mapping[Any, Any]) -> str | None:
    return None if missing(row.get("low")) else f"[{row['low']:.1f}, {row['high']:.1f}]"


def detail_tables(name: str, table: pd.DataFrame) -> Iterator[TextTable]:
    """A table of ``DETAILS``, one for each corpus and K."""
    title, note, figures = DETAILS[name]
    counts = [column for column in figures if column.endswith("_rows") and column in table]
    for (corpus, shots), group in table.groupby(["corpus", "shots"], sort=False):
        axes = {a: h for a, h in AXES.items() if a in group and varies(group, a)}
        yield table_of(
            group.assign(**{c: group[c].map("{:.0f}".format) for c in counts}),
            f"{title}: {corpus}, K = {shots}",
            note,
            {"variant": "variant"} | axes,
            {"seeds": "seeds"} | figures,
        )


def llm_tables(llms: pd.DataFrame) -> Iterator[TextTable]:
    """Language models side by side: one table for each corpus and K.

    Args:
        llms: Table of an experiment (``llm_comparison.llms_table``).
    """
    variants = [column.removeprefix(F1) for column in llms if column.startswith(F1)]
    for (corpus, shots), group in llms.groupby(["corpus", "shots"], sort=False):
        rows = [
            row
            | {"named": f"{row['llm']} ({row['model']})"}
            | {F1 + variant: _llm_score(row, variant) for variant in variants}
            for row in group.to_dict("records")
        ]
        synthetic = {"synthetic": AXES["synthetic"]} if group["synthetic"].nunique() > 1 else {}
        yield table_of(
            rows,
            f"language models: {corpus}, K = {shots}",
            "per cent; words per sentence",
            {"named": "language model"} | synthetic,
            {"seeds": "seeds"}
            | _LLM_COLUMNS
            | {F1 + variant: f"F1 {variant}" for variant in variants},
        )


def _llm_score(row: Mapping[Any, Any], variant: str) -> str:
    deviation = f" ± {row[F1_STD + variant]:.1f}" if row["seeds"] > 1 else ""
    mean = number(row[F1 + variant])
    return mean + deviation if mean else ""


def markdown(table: TextTable) -> list[str]:
    """A table as lines of Markdown."""
    marks = ["---"] * table.labels + ["---:"] * (len(table.columns) - table.labels)
    rows = [[cell.replace("|", r"\|").replace("<", "&lt;") for cell in r] for r in table.rows]
    return [f"| {' | '.join(cells)} |" for cells in (table.columns, marks, *rows)]


def rich_table(table: TextTable) -> Table:
    """A table for the terminal; its title and note are printed apart."""
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for n, column in enumerate(table.columns):
        shown.add_column(column, justify="left" if n < table.labels else "right", no_wrap=True)
    for row in table.rows:
        shown.add_row(*(Text(cell) for cell in row))
    return shown


def varying(frame: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    """Columns that a frame has and that hold more than one value."""
    return [column for column in columns if column in frame and frame[column].nunique() > 1]
