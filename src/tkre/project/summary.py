"""The last lines of a run: what it found, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tkre.core.params import DEFAULT_LLM
from tkre.report.tables import TextTable, llm_tables, score_tables


def show_results(
    pipeline: Pipeline, catalog: CatalogProtocol, console: Console | None = None
) -> None:
    """Prints the summary of every experiment that a run has reported.

    Args:
        pipeline: What was run.
        catalog: Holds its outputs.
        console: Where to; the standard output if None.
    """
    console = console or Console(soft_wrap=True)
    _cards(console, pipeline, catalog)  # first: the last line is where the report lies
    for name in sorted(pipeline.all_outputs()):
        experiment, _, what = name.rpartition(".")
        if what == "summary" and "." not in experiment:
            summary, cells = catalog.load(name), catalog.load(f"{experiment}.cells")
            _print_tables(console, experiment, summary, cells)
            _notes(console, catalog.load(f"{experiment}.samples"))
            compared = f"{experiment}.llms"
            if compared in pipeline.all_outputs():
                for shown in llm_tables(catalog.load(compared)):
                    _print_table(console, experiment, shown)
                console.print(f"{'llms:':15}", Text(_place(catalog, compared)))
            for label, dataset in (
                ("summary", name),
                ("cells", f"{experiment}.cells"),
                ("samples", f"{experiment}.samples"),
                ("F1 by variant", f"{experiment}.f1_by_variant_page"),
                ("confusion", f"{experiment}.confusion_page"),
                ("calibration", f"{experiment}.calibration"),
                ("calibration, figures", f"{experiment}.calibration_figures_page"),
                ("report", f"{experiment}.report"),
            ):
                if catalog.exists(dataset):  # not if only a part of the graph was run
                    console.print(f"{label + ':':15}", Text(_place(catalog, dataset)))
        elif name == "inference.predictions":
            console.print("predictions:   ", Text(_place(catalog, name)))


def _print_tables(
    console: Console, experiment: str, summary: pd.DataFrame, cells: pd.DataFrame
) -> None:
    """One table per corpus and K, never narrower than its content: a log file has no columns."""
    for shown in score_tables(summary, cells):
        _print_table(console, experiment, shown)


def _print_table(console: Console, experiment: str, shown: TextTable) -> None:
    console.print(Text(f"\n{experiment}: {shown.title}", style="bold"))
    console.print(shown.note)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for n, column in enumerate(shown.columns):
        table.add_column(column, justify="right" if n else "left", no_wrap=True)
    for row in shown.rows:
        table.add_row(*(Text(cell) for cell in row))
    wide = console.options.update(width=1000)
    console.width = max(console.width, Measurement.get(console, wide, table).maximum)
    console.print(table)


def _notes(console: Console, samples: pd.DataFrame) -> None:
    """Says what was short or left out; nothing if nothing was."""
    quiet = {"corpus", "shots", "seed", "synthetic", "llm", "support", "validation"}
    for row in samples.to_dict("records"):
        notes = [
            f"{_NOTES.get(column, column.replace('_', ' '))}: {value}"
            for column, value in row.items()
            if column not in quiet and not column.endswith("_kept") and _tells(value)
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


def _cards(console: Console, pipeline: Pipeline, catalog: CatalogProtocol) -> None:
    """Where the model cards of a run lie: one line for all, which experiments may share."""
    cards = sorted(name for name in pipeline.all_outputs() if name.endswith("_model_card"))
    places = [Path(_place(catalog, name)).parts for name in cards if catalog.exists(name)]
    if places:
        shared = (parts[0] if len({*parts}) == 1 else "*" for parts in zip(*places, strict=True))
        console.print(f"{'model cards:':15}", Text(str(Path(*shared))))


def _tells(value: Any) -> bool:
    return bool(value) and not (isinstance(value, float) and pd.isna(value))


def _place(catalog: CatalogProtocol, name: str) -> str:
    """The file of a dataset, relative to the working directory where that is shorter."""
    dataset = catalog.get(name)
    path = Path(str(dataset._get_load_path()))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
