"""Summary in the terminal after a run: scores, shortfalls, places of the files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.measure import Measurement
from rich.text import Text

from tkre.core.params import DEFAULT_LLM
from tkre.report.natural import natural_tables
from tkre.report.tables import TextTable, llm_tables, rich_table, score_tables
from tkre.report.teacher import teacher_tables


def show_results(
    pipeline: Pipeline, catalog: CatalogProtocol, console: Console | None = None
) -> None:
    """Prints the scores of every experiment that a run has reported, and where its files are.

    Args:
        pipeline: Pipeline that was run.
        catalog: Holds its outputs.
        console: Console; the standard output if None.
    """
    console = console or Console(soft_wrap=True)
    outputs = sorted(pipeline.all_outputs())
    _files(console, catalog, "model cards", [n for n in outputs if n.endswith("_model_card")])
    for name in outputs:
        experiment, _, what = name.rpartition(".")
        if what == "summary" and "." not in experiment:
            _show_experiment(console, catalog, experiment, outputs)
        elif name == "inference.predictions":
            counts = catalog.load("inference.counts")
            console.print(Text(f"sentences:      {counts['words']}"))
            for line in counts["problems"]:
                console.print(Text(f"  not read: {line}"))
            _files(console, catalog, "predictions", [name])


def _show_experiment(
    console: Console, catalog: CatalogProtocol, experiment: str, outputs: Sequence[str]
) -> None:
    summary, cells = catalog.load(f"{experiment}.summary"), catalog.load(f"{experiment}.cells")
    tables = list(score_tables(summary, cells))
    if f"{experiment}.llms" in outputs:
        tables += llm_tables(catalog.load(f"{experiment}.llms"))
    if f"{experiment}.teacher" in outputs:
        tables += teacher_tables(catalog.load(f"{experiment}.teacher"))
    if f"{experiment}.natural" in outputs:
        tables += natural_tables(catalog.load(f"{experiment}.natural"))
    for table in tables:
        _print_table(console, experiment, table)
    _notes(console, catalog.load(f"{experiment}.samples"))
    made = [name for name in outputs if name.rpartition(".")[0] == experiment]
    _files(console, catalog, "summary", [f"{experiment}.summary"])
    _files(console, catalog, "figures", [n for n in made if n.endswith("_figure")])
    _files(console, catalog, "report", [f"{experiment}.report"])  # last: it leads to the rest


def _print_table(console: Console, experiment: str, table: TextTable) -> None:
    """Prints a table that is never narrower than its content: a log file has no columns."""
    console.print(Text(f"\n{experiment}: {table.title}", style="bold"))
    console.print(table.note)
    shown = rich_table(table)
    wide = console.options.update(width=1000)
    console.width = max(console.width, Measurement.get(console, wide, shown).maximum)
    console.print(shown)


def _notes(console: Console, samples: pd.DataFrame) -> None:
    """Prints shortfalls and rows that were left out, if any."""
    quiet = {"corpus", "shots", "seed", "synthetic", "llm", "support", "validation"}
    for row in samples.to_dict("records"):
        notes = [
            f"{_NOTES.get(column, column.replace('_', ' '))}: {value}"
            for column, value in row.items()
            if column not in quiet and not column.endswith("_kept") and _notable(value)
        ]
        if notes:
            name = f"{row['corpus']}, K = {row['shots']}, seed {row['seed']}"
            name += "" if row["llm"] == DEFAULT_LLM else f", written by {row['llm']}"
            console.print(Text(f"note: {name}: {'; '.join(notes)}"))


# Columns of the samples whose name alone could be read as the number of what is there.
_NOTES = {
    "short_in_support": "rows that the support lacks",
    "short_in_validation": "rows that validation lacks",
}


def _files(console: Console, catalog: CatalogProtocol, label: str, names: Sequence[str]) -> None:
    """Prints where files are, on one line: parts that differ are ``*``, as a shell expands it."""
    places = [Path(_place(catalog, name)).parts for name in names if catalog.exists(name)]
    if places:
        shared = (parts[0] if len({*parts}) == 1 else "*" for parts in zip(*places, strict=True))
        console.print(f"{label + ':':15}", Text(str(Path(*shared))))


def _notable(value: Any) -> bool:
    return bool(value) and not (isinstance(value, float) and pd.isna(value))


def _place(catalog: CatalogProtocol, name: str) -> str:
    """The file of a dataset, relative to the working directory where that is shorter."""
    dataset = catalog.get(name)
    path = Path(str(dataset._get_load_path()))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
