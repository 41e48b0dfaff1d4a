"""Summary in the terminal after a run: scores, shortfalls, places of the files, the next step."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.measure import Measurement
from rich.text import Text

from tkre.core.cells import parse_cell
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
    reported = [n.removesuffix(".summary") for n in outputs if n.endswith(".summary")]
    for experiment in reported:
        _show_experiment(console, catalog, experiment, outputs)
    for experiment in reported:
        _report(console, catalog, experiment)
    _files(console, catalog, "model cards", [n for n in outputs if n.endswith("_model_card")])
    if "inference.predictions" in outputs:
        counts = catalog.load("inference.counts")
        console.print(Text(f"sentences:       {counts['words']}"))
        for line in counts["problems"]:
            _words(console, f"  not read: {line}")
        _files(console, catalog, "predictions", ["inference.predictions"])
    if reported:
        console.print(Text(f"Next: {_next(pipeline, catalog, reported[-1])}"))


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


def _report(console: Console, catalog: CatalogProtocol, experiment: str) -> None:
    """Prints where the report is, by a name that stays, and the folder of tables and figures."""
    if not catalog.exists(f"{experiment}.report"):
        return
    report = Path(_place(catalog, f"{experiment}.report"))
    folder = report.parents[2]
    _place_line(console, "report", _latest(report, folder))
    _place_line(console, "tables, figures", folder)


def _latest(report: Path, folder: Path) -> Path:
    """A short name for the newest report; its own where none can be made."""
    latest = folder / "latest.html"
    with suppress(OSError):
        latest.unlink(missing_ok=True)
        try:
            latest.symlink_to(report.relative_to(folder))
        except OSError:  # Windows, for most users
            shutil.copyfile(report, latest)
        return latest
    return report


def _next(pipeline: Pipeline, catalog: CatalogProtocol, experiment: str) -> str:
    """Command that tries the best saved classifier of an experiment, without scores the last."""
    saved = sorted(name.removesuffix(".classifier") for name in pipeline.datasets()
                   if name.endswith(".classifier"))  # fmt: skip
    cells = catalog.load(f"{experiment}.cells")[::-1]
    cells = cells.sort_values("micro_f1", ascending=False, kind="stable")
    for row in cells.to_dict("records"):
        for cell in map(parse_cell, saved):
            sample = cell.sample
            found = (sample.corpus, sample.shots, sample.seed, sample.annotated, cell.variant)
            if found == tuple(row[n] for n in ("corpus", "shots", "seed", "annotated", "variant")):
                return f"kedro corpus probe {sample.corpus} --classifier {cell.name}"
    return f"kedro results write {experiment}"


def _print_table(console: Console, experiment: str, table: TextTable) -> None:
    """Prints a table; of one that is wider than a terminal, the last columns are left out."""
    console.print(Text(f"\n{experiment}: {table.title}", style="bold"))
    _words(console, table.note)
    columns = len(table.columns)
    if console.is_terminal:
        while columns > table.labels and _width(console, _first(table, columns)) > console.width:
            columns -= 1
    shown = rich_table(_first(table, columns))
    console.width = max(console.width, _width(console, _first(table, columns)))
    console.print(shown)
    if left := table.columns[columns:]:
        _words(console, f"in the report: {', '.join(left)}")


def _words(console: Console, line: str) -> None:
    """Prints prose; on a terminal no line ends within a word."""
    console.print(Text(line), soft_wrap=not console.is_terminal)


def _first(table: TextTable, columns: int) -> TextTable:
    rows = [row[:columns] for row in table.rows]
    return replace(table, columns=table.columns[:columns], rows=rows)


def _width(console: Console, table: TextTable) -> int:
    """Columns of a terminal that a table takes: a log file has any number."""
    wide = console.options.update(width=1000)
    return Measurement.get(console, wide, rich_table(table)).maximum


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
            _words(console, f"note: {name}: {'; '.join(notes)}")


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
        _place_line(console, label, Path(*shared))


def _place_line(console: Console, label: str, path: Path) -> None:
    """Prints a label and a path, on two lines where one is too short.

    On a terminal, of a file that is too long for a line the folder of its versions is printed.
    """
    line = f"{label + ':':17}{path}"
    if len(line) > console.width:
        if console.is_terminal and len(str(path)) + 2 > console.width:
            path = path.parents[1]
        line = f"{label}:\n  {path}"
    console.print(Text(line), soft_wrap=True)


def _notable(value: Any) -> bool:
    return bool(value) and not (isinstance(value, float) and pd.isna(value))


def _place(catalog: CatalogProtocol, name: str) -> str:
    """The file of a dataset, relative to the working directory where that is shorter."""
    dataset = catalog.get(name)
    path = Path(str(dataset._get_load_path()))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
