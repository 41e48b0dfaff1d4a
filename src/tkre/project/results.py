"""Published results: tables of experiments, and pages with curves that are made from them."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from itertools import chain
from pathlib import Path

import pandas as pd
from kedro.io import CatalogProtocol

from tkre.core.cells import Cell, Experiment
from tkre.core.params import NO_LLM
from tkre.core.provenance import Lineage, processor, seconds_of, versions
from tkre.core.terminal import run_command
from tkre.project.config import ProjectParameters
from tkre.report.drawing import draw, svg
from tkre.report.figures import FIGURES, drawable
from tkre.report.formatting import sentence
from tkre.report.natural import natural_tables
from tkre.report.published import published
from tkre.report.tables import (
    DETAILS,
    detail_tables,
    llm_tables,
    markdown,
    score_tables,
)
from tkre.report.teacher import teacher_tables, with_needs
from tkre.training.recipes import Variant, axes_of

_SECTION = re.compile(r"^(?=## )", re.MULTILINE)


def draw_page(
    name: str, spec: Experiment, variants: Mapping[str, Variant], folder: Path
) -> list[Path]:
    """Writes the page of a published experiment again from its tables, below its head.

    Args:
        name: Experiment.
        spec: Its grid.
        variants: Its variants by name.
        folder: Holds ``<name>.md`` and ``<name>/<table>.csv``; ``<name>/<figure>.svg``, F1 along
            each axis with several values, are replaced.

    Returns:
        The page, and the pictures.

    Raises:
        FileNotFoundError: The experiment has not been published.
        ValueError: The table has other variants than the experiment.
    """
    page, table = folder / f"{name}.md", folder / name / "cells.csv"
    if lacking := [path for path in (page, table) if not path.is_file()]:
        raise FileNotFoundError(f"{lacking[0]} is missing: kedro results write {name}")
    tables = {
        table: published(path)
        for table in PUBLISHED
        if (path := folder / name / f"{table}.csv").is_file()
    }
    named = set(tables["cells"]["variant"])
    if named != set(variants):
        raise ValueError(
            f"{table} has the variants {', '.join(sorted(named))}, but {name} has "
            f"{', '.join(sorted(variants))}; run and publish it again"
        )
    head, *_ = _SECTION.split(page.read_text("utf-8"))
    drawn, curves = _curves(name, spec, variants, tables["cells"], folder)
    shown = tables | {"summary": with_needs(tables["summary"], variants)}
    lines = [head.rstrip(), "", *curves, *page_tables(name, shown)]
    page.write_text("\n".join(lines), "utf-8")
    return [page, *drawn]


def _curves(
    name: str,
    spec: Experiment,
    variants: Mapping[str, Variant],
    cells: pd.DataFrame,
    folder: Path,
) -> tuple[list[Path], list[str]]:
    """Pictures of F1 along each axis, and the lines of the page that show them."""
    for old in (folder / name).glob("*.svg"):
        old.unlink()
    recipes = {variant: recipe.model_dump(mode="json") for variant, recipe in variants.items()}
    metrics = [row | {"recipe": recipes[row["variant"]]} for row in cells.to_dict("records")]
    several, drawn = cells["seed"].nunique() > 1, []
    lines: list[str] = []
    for figure in drawable(axes_of(spec, variants)):
        kind = FIGURES[figure]
        if kind.axis is None or cells["micro_f1"].isna().all():
            continue
        rows = kind.rows(cells if kind.reads == "cells" else metrics)
        title = kind.titled(rows)
        drawn.append(folder / name / f"{figure}.svg")
        picture = svg(draw(rows, kind.panel), f"{name}: {title}", standalone=True)
        drawn[-1].write_text(f"{picture}\n", "utf-8")
        lines += [f"![{title}]({name}/{figure}.svg)", ""]
        if note := kind.note(rows, several_seeds=several):
            lines += [note, ""]
    return drawn, ["## Curves", "", *lines] if lines else []


# Tables that are published, by dataset; an experiment need not have all.
PUBLISHED = (
    "summary", "cells", "samples", "calibration", "implicit", "diagnosis", "collapse", "filter",
    "label_errors", "llms", "natural", "teacher",
)  # fmt: skip


def write_results(
    catalog: CatalogProtocol,
    experiments: Mapping[str, Sequence[Cell]],
    parameters: ProjectParameters,
    folder: Path,
    env: str | None = None,
    params: str = "",
) -> list[Path]:
    """Writes the tables of every experiment, and the head of its page; ``draw_page`` does the rest.

    Args:
        catalog: Holds the reports of the experiments.
        experiments: Cells by experiment.
        parameters: Parameters of the runs.
        folder: ``<experiment>.md`` and ``<experiment>/<table>.csv`` in it are replaced.
        env: Environment of the runs; the pages name it.
        params: Value of ``--params`` of the runs; the pages name it.

    Returns:
        The pages.

    Raises:
        FileNotFoundError: Experiments, or cells of them, have not been run.
    """

    def run_with(names: Iterable[str]) -> str:
        return run_command(",".join(names), env, params)

    missing = [name for name in experiments if not catalog.exists(f"{name}.summary")]
    if missing:
        raise FileNotFoundError(f"not run yet: {', '.join(missing)} ({run_with(missing)})")
    lacking = [
        (name, cell.name)
        for name, cells in experiments.items()
        for cell in cells
        if not catalog.exists(f"{cell.name}.lineage")
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
            if catalog.exists(f"{name}.{table}")
        }
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for old in target.glob("*.csv"):
            old.unlink()
        for table, frame in tables.items():
            frame.to_csv(target / f"{table}.csv", index=False, float_format=_six_digits)
        pages.append(folder / f"{name}.md")
        run = str(catalog.get(f"{name}.summary").resolve_load_version())
        head = [
            f"# {name}", "", f"`{run_with([name])}`, {_day(run)}, {machine()}.",
            f"{_training([catalog.load(f'{cell.name}.lineage') for cell in cells])}.",
            *_remarks(tables["cells"], parameters),
        ]  # fmt: skip
        pages[-1].write_text("\n".join(head), encoding="utf-8")
    return pages


def _training(lineages: Sequence[Lineage]) -> str:
    """Number of cells, time of their training, a shared encoder counted once, and revisions."""
    hours = seconds_of(lineages) / 3600
    trained = [step.environment for lineage in lineages for step in lineage.steps]
    revisions = {
        f"{e.revision[:7]}{' with changes' if e.modified else ''}": None
        for e in trained
        if e is not None and e.revision is not None
    }
    return (
        f"{len(lineages)} cells, {hours:.1f} hours of training; what several cells share is "
        f"counted once. Revision: {', '.join(revisions) or 'none'}"
    )


def machine() -> str:
    """Processor, cores and versions of the libraries that numbers depend on."""
    libraries = ", ".join(f"{name} {v}" for name, v in versions(("torch", "transformers")).items())
    return f"{processor()}, {os.cpu_count()} cores; Python {platform.python_version()}, {libraries}"


def _day(run: str) -> date:
    return datetime.strptime(run[:10], "%Y-%m-%d").replace(tzinfo=UTC).date()


def _remarks(cells: pd.DataFrame, parameters: ProjectParameters) -> list[str]:
    """Paragraphs on the language models that cells rest on."""
    generation = parameters.generation
    called = {llm: generation.of_llm(llm).called for llm in cells["llm"].unique() if llm != NO_LLM}
    remarks = parameters.reporting.remarks_on(cells, called)
    return [line for remark in remarks for line in ("", remark)]


def page_tables(name: str, tables: dict[str, pd.DataFrame]) -> list[str]:
    """Lines of the tables of an experiment."""
    lines = []
    for shown in score_tables(tables["summary"], tables["cells"]):
        lines += [f"## {shown.title}", "", f"{sentence(shown.note)}.", "", *markdown(shown), ""]
    details = [detail_tables(name, tables[name]) for name in DETAILS if name in tables]
    llms = [llm_tables(tables["llms"])] if "llms" in tables else []
    taught = [teacher_tables(tables["teacher"])] if "teacher" in tables else []
    natural = [natural_tables(tables["natural"])] if "natural" in tables else []
    for shown in chain.from_iterable([*natural, *taught, *llms, *details]):
        lines += [f"## {sentence(shown.title)}", "", f"{sentence(shown.note)}.", ""]
        lines += [*markdown(shown), ""]
    return [*lines, "Tables: " + ", ".join(f"[{t}]({name}/{t}.csv)" for t in tables) + ".", ""]


def _six_digits(value: float) -> str:
    """A number of a table; a whole one keeps its ".0", or a page would show it as a count."""
    text = f"{value:.6g}"
    return f"{text}.0" if text.lstrip("-").isdigit() else text
