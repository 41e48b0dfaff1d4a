"""What is told of a cell and of an experiment: parameters, metrics, curves, lineage, files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol

from tkre.evaluation.tables import PLACE, SCORES, varies
from tkre.grid import Cell
from tkre.modeling.facts import lineage_facts
from tkre.modeling.lineage import Lineage, digest_of, seconds_of
from tkre.runners.digests import load_path
from tkre.tracking.notes import note_of_cell, note_of_experiment

TRUST = ("temperature", "ece_before", "ece_after", "nll_before", "nll_after", "aurc")
STAGES = ("mslm", "scl", "pairs", "finetuning")
TABLES = ("summary", "cells", "draws", "trust", "diagnosis", "implicit", "collapse")
PAGES = ("f1_by_variant_page", "confusion_page", "learning_curves_page", "trust_figures_page")


@dataclass(frozen=True)
class Tracked:
    """One run of a tracking server.

    Attributes:
        name: Of the cell or the experiment.
        title: The same with what differs first: columns of names are narrow.
        digest: Of all that is told of it: equal digests are not told twice.
        started: When the command began that scored it.
        seconds: What its training took.
        tags: What it is.
        note: Markdown, for its reader.
        command: What made it.
        revision: Of the repository that it was made with, where that is known.
        params: What it was made by, by dotted names.
        metrics: What came out.
        curves: Likewise, step by step.
        files: Content of small ones, by name.
        copies: Paths of others, by name.
    """

    name: str
    title: str
    digest: str
    started: datetime
    seconds: float
    tags: dict[str, str]
    note: str = ""
    command: str = ""
    revision: str | None = None
    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)


def tracked_cell(catalog: CatalogProtocol, cell: Cell, score_on: str) -> Tracked | None:
    """What is told of a cell; None if it has not been scored.

    Args:
        catalog: Holds its outputs.
        cell: Which.
        score_on: Of its experiment.
    """
    scored = f"{cell.name}.{score_on}_metrics"
    metrics = _loaded(catalog, scored)
    if metrics is None:
        return None
    lineage = Lineage.model_validate(catalog.load(f"{cell.name}.lineage"))
    trust = _loaded(catalog, f"{cell.name}.{score_on}_trust_scores") or {}
    told = {"metrics": metrics, "lineage": lineage.model_dump(mode="json"), "trust": trust}
    # F1 first: servers keep the order.
    scores = sorted(SCORES, key=lambda name: not name.endswith("f1"))
    figures = {name: metrics[name] for name in (*scores, "seconds", "rows")}
    figures |= {f"f1/{r['relation']}": r["f1"] for r in metrics["by_relation"]}
    figures |= {f"trust/{name}": trust[name] for name in TRUST if name in trust}
    return Tracked(
        name=cell.name,
        title=f"{cell.variant} {cell.draw.name}",
        digest=digest_of(told),
        started=_started(catalog, scored),
        seconds=lineage.seconds,
        tags=_tags(cell) | _origin(catalog, cell, lineage, metrics["stale"]),
        note=note_of_cell(cell, metrics, score_on),
        command=f"kedro run --to-outputs {scored}",
        revision=_revision([lineage]),
        params=flat(metrics["recipe"]),
        metrics=_finite(figures),
        curves=_curves(catalog, cell),
        files={"metrics.json": metrics, "lineage.json": told["lineage"], "trust.json": trust},
    )


def tracked_experiment(
    catalog: CatalogProtocol, name: str, grid: Mapping[str, Any], cells: Iterable[Cell]
) -> Tracked | None:
    """What is told of an experiment; None if it has not been reported.

    Args:
        catalog: Holds its report.
        name: Its name.
        grid: Its entry of ``experiments.yml``.
        cells: All of them.
    """
    summary: pd.DataFrame | None = _loaded(catalog, f"{name}.summary")
    if summary is None:
        return None
    told = [axis for axis in PLACE if varies(summary, axis)]
    ordered = summary.sort_values("metric", key=lambda names: ~names.str.endswith("f1"),
                                  kind="stable")  # fmt: skip
    figures = {_metric(row, told): row for row in ordered.to_dict("records")}
    means = {key: row["mean"] for key, row in figures.items()}
    gains = {f"difference/{key}": row["difference"] for key, row in figures.items()}
    places = {what: load_path(catalog.get(f"{name}.{what}")) for what in (*TABLES, *PAGES)
              if _exists(catalog, f"{name}.{what}")}  # fmt: skip
    lineages = [
        Lineage.model_validate(found)
        for cell in cells
        if (found := _loaded(catalog, f"{cell.name}.lineage")) is not None
    ]
    return Tracked(
        name=name,
        title=name,
        digest=digest_of(summary.to_json(orient="records")),
        started=_started(catalog, f"{name}.summary"),
        seconds=seconds_of(lineages),
        tags={"experiment": name},
        note=note_of_experiment(summary, catalog.load(f"{name}.cells")),
        command=f"kedro run --pipelines {name}",
        revision=_revision(lineages),
        params=flat(grid),
        metrics=_finite(means | gains),
        copies={what: str(path) for what, path in places.items() if path is not None},
    )


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Parameters by dotted names; what is None is left out."""
    if isinstance(value, Mapping):
        parts: Iterator[tuple[str, Any]] = ((str(key), part) for key, part in value.items())
        return {
            key: text
            for part_name, part in parts
            for key, text in flat(part, f"{name}.{part_name}" if name else part_name).items()
        }
    if value is None:
        return {}
    return {name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)}


def _tags(cell: Cell) -> dict[str, str]:
    draw = cell.draw
    named = {"corpus": draw.corpus, "k": draw.shots, "seed": draw.seed, "variant": cell.variant,
             "synthetic": draw.synthetic, "noise": draw.noise, "filtered": draw.filtered,
             "writer": draw.writer}  # fmt: skip
    return {name: str(value) for name, value in named.items()}


def _origin(
    catalog: CatalogProtocol, cell: Cell, lineage: Lineage, stale: Sequence[str]
) -> dict[str, str]:
    """Where the classifier comes from, and where it lies (it is not copied)."""
    facts = lineage_facts(lineage)
    tags = {
        "backbone": facts["backbone"],
        "weights": facts["digest"],
        "stages": ", ".join(step["stage"] for step in facts["steps"]),
    }
    if stale:
        tags["stale"] = "; ".join(stale)
    classifier = f"{cell.name}.classifier"
    if _exists(catalog, classifier):
        tags["classifier"] = f"version {_version(catalog, classifier)}"
    return tags


def _curves(catalog: CatalogProtocol, cell: Cell) -> dict[str, list[tuple[int, float]]]:
    curves = {}
    for stage in STAGES:
        frame = _loaded(catalog, f"{cell.name}.{stage}_losses")
        if frame is None:  # no such stage, or that of a cell which shares its encoder
            continue
        for column in frame.columns.difference(["epoch", "step"], sort=False):
            points = frame[["step", column]].dropna().itertuples(index=False)
            curves[f"{stage}/{column}"] = [(int(step), float(value)) for step, value in points]
    return {name: points for name, points in curves.items() if points}


def _metric(row: Mapping[Any, Any], axes: Sequence[str]) -> str:
    """The name of a mean: servers draw those beside one another that differ in the last part."""
    return "/".join([row["metric"], *(f"{axis}-{row[axis]}" for axis in axes), row["variant"]])


def _revision(lineages: Iterable[Lineage]) -> str | None:
    """Of the code that the last stages were trained with; None if that is not one and the same."""
    places = [lineage.steps[-1].environment for lineage in lineages if lineage.steps]
    revisions = {None if place is None else place.revision for place in places}
    return revisions.pop() if len(revisions) == 1 else None


def _finite(figures: Mapping[str, Any]) -> dict[str, float]:
    """A figure that could not be had is None or not a number, which servers refuse.

    Of the others four decimals: servers show all there are.
    """
    return {
        name: round(float(x), 4)
        for name, x in figures.items()
        if x is not None and isfinite(float(x))
    }


def _exists(catalog: CatalogProtocol, name: str) -> bool:
    dataset = catalog.get(name)
    return dataset is not None and bool(dataset.exists())


def _loaded(catalog: CatalogProtocol, name: str) -> Any:
    return catalog.load(name) if _exists(catalog, name) else None


def _version(catalog: CatalogProtocol, name: str) -> str:
    return str(catalog.get(name).resolve_load_version())


def _started(catalog: CatalogProtocol, name: str) -> datetime:
    return datetime.strptime(_version(catalog, name), "%Y-%m-%dT%H.%M.%S.%fZ").replace(tzinfo=UTC)
