"""Curves of the book of results: drawn from its tables, put into its pages.

From the tables and not from a run, so that what was published before can be drawn again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from tkre.grid import Experiment
from tkre.report.curves import F1, Curve, curves
from tkre.report.lines import HEIGHT
from tkre.report.picture import picture
from tkre.variants import Variant

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
