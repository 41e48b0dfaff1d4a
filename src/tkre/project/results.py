"""Curves of the book of results: drawn from its tables, put into its pages.

From the tables and not from a run, so that what was published before can be drawn again.

The book of results: what experiments found, as files that are committed beside the docs.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path

import pandas as pd
from kedro.io import CatalogProtocol

from tkre.core.cells import Cell, Experiment
from tkre.core.provenance import processor, seconds_of, versions
from tkre.report.curves import F1, Curve, curves
from tkre.report.formatting import sentence
from tkre.report.lines import HEIGHT
from tkre.report.picture import picture
from tkre.report.tables import (
    DETAILS,
    FIGURE,
    TextTable,
    detail_tables,
    llm_tables,
    score_tables,
)
from tkre.training.recipes import Variant

_HEADING = "## Curves"
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)


def draw_curves(
    name: str, spec: Experiment, variants: Mapping[str, Variant], folder: Path
) -> list[Path]:
    """Draws F1 along each axis of a published experiment; its page shows what is drawn.

    Args:
        name: The experiment.
        spec: Its grid.
        variants: Its variants, by name.
        folder: Holds ``<name>.md`` and ``<name>/cells.csv``; ``<name>/<axis>.svg`` are replaced.

    Returns:
        The pictures; none where nothing has several values.

    Raises:
        FileNotFoundError: The experiment has not been published.
        ValueError: Its table has other variants than the experiment has now.
    """
    page, table = folder / f"{name}.md", folder / name / "cells.csv"
    if lacking := [path for path in (page, table) if not path.is_file()]:
        raise FileNotFoundError(
            f"{lacking[0]}: not there; {name} is published by kedro results write {name}"
        )
    # "none" is the name of no language model, no missing value.
    cells = pd.read_csv(table, keep_default_na=False, na_values=[""])
    if set(cells["variant"]) != set(variants):
        raise ValueError(
            f"{table}: of {', '.join(sorted(set(cells['variant'])))}, but {name} is of "
            f"{', '.join(sorted(variants))} now; run and publish it again"
        )
    for old in (folder / name).glob("*.svg"):
        old.unlink()
    shown = list(curves(cells, spec, variants))
    drawn = []
    for curve in shown:
        drawn.append(folder / name / f"{curve.axis}.svg")
        told = curve.legend if len(curve.lines) > 1 else []
        drawn[-1].write_text(picture(F1, curve.panel, HEIGHT, told) + "\n", "utf-8")
    _put_into(page, name, shown, several_seeds=cells["seed"].nunique() > 1)
    return drawn


def _put_into(page: Path, name: str, shown: Sequence[Curve], *, several_seeds: bool) -> None:
    """Before the first table, in the place of what was there of the kind."""
    head, *sections = _SECTION.split(page.read_text("utf-8"))
    kept = [section for section in sections if not section.startswith(_HEADING)]
    notes = []
    if several_seeds:
        notes.append("Means over seeds; whiskers are one standard deviation.")
    if any(line.level for curve in shown for line in curve.lines):
        notes.append("A dotted level has no value of its own along the axis.")
    pictures = [f"![Micro-F1 along {c.title}]({name}/{c.axis}.svg)" for c in shown]
    if shown:
        parts = [_HEADING, " ".join(notes), *pictures]
        kept.insert(0, "".join(f"{part}\n\n" for part in parts if part))
    page.write_text("".join([head, *kept]), "utf-8")


# Tables of an experiment that are published, by dataset; those it does not have are left out.
PUBLISHED = (
    "summary", "cells", "samples", "calibration", "implicit", "diagnosis", "collapse", "filter", "label_errors",
    "llms",
)  # fmt: skip


def write_results(
    catalog: CatalogProtocol,
    experiments: Mapping[str, Sequence[Cell]],
    folder: Path,
    env: str | None = None,
    params: str = "",
) -> list[Path]:
    """Writes a page and the tables behind it for every experiment.

    Args:
        catalog: Holds what the experiments have reported.
        experiments: Their names and cells.
        folder: Where to; ``<experiment>.md`` and ``<experiment>/<table>.csv`` are replaced.
        env: The environment that they were run in, if not the usual one; the pages say so.
        params: What ``--params`` said when they were run; the pages say so, too.

    Returns:
        The pages.

    Raises:
        FileNotFoundError: Experiments have not been run, or not all of their cells; these are
            named.
    """
    run_with = partial(_command, env=env, params=params)
    missing = [name for name in experiments if not _has(catalog, f"{name}.summary")]
    if missing:
        raise FileNotFoundError(f"not run yet: {', '.join(missing)} ({run_with(missing)})")
    lacking = [
        (name, cell.name)
        for name, cells in experiments.items()
        for cell in cells
        if not _has(catalog, f"{cell.name}.lineage")
    ]
    if lacking:
        raise FileNotFoundError(
            f"not trained yet: {', '.join(cell for _, cell in lacking)} "
            f"({run_with(dict.fromkeys(name for name, _ in lacking))}; a run of part of a grid is "
            "published once experiments.yml, or the same --params here, says which part)"
        )
    pages = []
    for name, cells in experiments.items():
        tables = {
            table: catalog.load(f"{name}.{table}")
            for table in PUBLISHED
            if _has(catalog, f"{name}.{table}")
        }
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for old in target.glob("*.csv"):
            old.unlink()
        for table, frame in tables.items():
            frame.to_csv(target / f"{table}.csv", index=False, float_format=FIGURE)
        pages.append(folder / f"{name}.md")
        run = str(catalog.get(f"{name}.summary").resolve_load_version())
        pages[-1].write_text(
            _page(name, run_with([name]), run, tables, training(catalog, cells)),
            encoding="utf-8",
        )
    return pages


def training(catalog: CatalogProtocol, cells: Iterable[Cell]) -> str:
    """How many cells, and how long they were trained, in words.

    An encoder that several cells start from is counted once, as it is trained once.
    """
    lineages = [catalog.load(f"{cell.name}.lineage") for cell in cells]
    hours = seconds_of(lineages) / 3600
    return f"{len(lineages)} cells, {hours:.1f} hours of training"


def machine() -> str:
    """The machine in words: processor, cores, the versions that numbers depend on."""
    libraries = ", ".join(f"{name} {v}" for name, v in versions(("torch", "transformers")).items())
    return f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {libraries}"


def _command(experiments: Iterable[str], env: str | None, params: str) -> str:
    """What is typed to run experiments."""
    words = [
        "kedro run",
        *([f"--env {env}"] if env else []),
        f"--pipelines {','.join(experiments)}",
    ]
    return " ".join([*words, *([f'--params "{params}"'] if params else [])])


def _page(name: str, command: str, run: str, tables: dict[str, pd.DataFrame], trained: str) -> str:
    day = datetime.strptime(run[:10], "%Y-%m-%d").replace(tzinfo=UTC).date()
    lines = [
        f"# {name}",
        "",
        f"`{command}`, {day}, {machine()}.",
        f"{trained}; what several cells share is counted once.",
    ]
    for shown in score_tables(tables["summary"], tables["cells"]):
        lines += ["", f"## {shown.title}", "", f"{sentence(shown.note)}.", "", *markdown(shown)]
    details = [detail_tables(name, tables[name]) for name in DETAILS if name in tables]
    llms = [llm_tables(tables["llms"])] if "llms" in tables else []
    for shown in chain.from_iterable([*llms, *details]):
        lines += ["", f"## {sentence(shown.title)}", "", f"{sentence(shown.note)}.", ""]
        lines += markdown(shown)
    lines += ["", "Tables: " + ", ".join(f"[{t}]({name}/{t}.csv)" for t in tables) + ".", ""]
    return "\n".join(lines)


def markdown(table: TextTable) -> list[str]:
    """A table as lines of Markdown."""
    marks = ["---"] * table.labels + ["---:"] * (len(table.columns) - table.labels)
    rows = [[_escaped(cell) for cell in row] for row in table.rows]
    return [_line(row) for row in (table.columns, marks, *rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(cell: str) -> str:
    return cell.replace("|", r"\|").replace("<", "&lt;")


def _has(catalog: CatalogProtocol, name: str) -> bool:
    dataset = catalog.get(name)
    return dataset is not None and bool(dataset.exists())
