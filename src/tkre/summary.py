"""The last lines of a run: what it found, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.table import Table
from rich.text import Text


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
    for name in sorted(pipeline.all_outputs()):
        experiment, _, what = name.rpartition(".")
        if what == "summary" and "." not in experiment:
            summary, cells = catalog.load(name), catalog.load(f"{experiment}.cells")
            console.print(_table(experiment, summary, cells))
            _notes(console, catalog.load(f"{experiment}.draws"))
            for label, dataset in (
                ("summary", name),
                ("cells", f"{experiment}.cells"),
                ("draws", f"{experiment}.draws"),
                ("F1 by variant", f"{experiment}.f1_by_variant_page"),
                ("confusion", f"{experiment}.confusion_page"),
            ):
                console.print(f"{label + ':':15}", Text(_place(catalog, dataset)))
        elif name == "inference.predictions":
            console.print("predictions:   ", Text(_place(catalog, name)))


def _table(experiment: str, summary: pd.DataFrame, cells: pd.DataFrame) -> Table:
    table = Table(title=f"{experiment}: per cent, mean ± standard deviation over seeds")
    for column in ("corpus", "K", "variant"):
        table.add_column(column, overflow="fold")
    for column in ("seeds", "P", "R", "micro-F1", "official F1", "micro-F1 to baseline", "s/cell"):
        table.add_column(column, justify="right", no_wrap=True)
    for (corpus, shots, variant), group in summary.groupby(
        ["corpus", "shots", "variant"], sort=False
    ):
        of = group.set_index("metric")
        mine = cells[
            (cells["corpus"] == corpus) & (cells["shots"] == shots) & (cells["variant"] == variant)
        ]
        table.add_row(
            Text(str(corpus)),
            str(shots),
            Text(str(variant)),
            str(of["seeds"].iloc[0]),
            f"{of.loc['micro_precision', 'mean']:.1f}",
            f"{of.loc['micro_recall', 'mean']:.1f}",
            _spread(of.loc["micro_f1"]),
            _spread(of.loc["official_f1"]),
            _difference(of.loc["micro_f1"]),
            f"{mine['seconds'].mean():.0f}",
        )
    return table


def _spread(row: pd.Series) -> str:
    return f"{row['mean']:.1f} ± {row['std']:.1f}"


def _difference(row: pd.Series) -> str:
    if pd.isna(row["difference"]):
        return ""
    low, high = row["difference_low"], row["difference_high"]
    return f"{row['difference']:+.1f} [{low:+.1f}, {high:+.1f}]"


def _notes(console: Console, draws: pd.DataFrame) -> None:
    """Says what was short or left out; nothing if nothing was."""
    quiet = {"corpus", "shots", "seed", "synthetic", "support", "validation"}
    for row in draws.to_dict("records"):
        notes = [
            f"{column.replace('_', ' ')}: {value}"
            for column, value in row.items()
            if column not in quiet and not column.endswith("_kept") and _tells(value)
        ]
        if notes:
            name = f"{row['corpus']}, K = {row['shots']}, seed {row['seed']}"
            console.print(Text(f"note: {name}: {'; '.join(notes)}"))


def _tells(value: Any) -> bool:
    return bool(value) and not (isinstance(value, float) and pd.isna(value))


def _place(catalog: CatalogProtocol, name: str) -> str:
    """The file of a dataset, relative to the working directory where that is shorter."""
    dataset = catalog.get(name)
    path = Path(str(dataset._get_load_path()))
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
