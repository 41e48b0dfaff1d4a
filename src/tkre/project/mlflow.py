"""What a run of a tracking server says of itself in Markdown, where a reader looks first.

What is told of a cell and of an experiment: parameters, metrics, curves, lineage, files.

Runs of MLflow, imported when it is used: one for each cell, under one for its experiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from kedro.io import CatalogProtocol
from pydantic import BaseModel, ValidationError

from tkre.core.cells import Cell
from tkre.core.provenance import Lineage, digest_of, seconds_of
from tkre.datasets import load_path
from tkre.evaluation.metrics import f1_first
from tkre.evaluation.results import GROUP_KEYS, varies
from tkre.modeling.weights import lineage_facts
from tkre.project.results import markdown
from tkre.report.formatting import recipe_in_words
from tkre.report.tables import score_tables
from tkre.training.recipes import Variant

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run


_ROWS = {"test": "test sentences", "development": "development sentences, on which recipes are "
         "chosen: the scores flatter"}  # fmt: skip


def note_of_cell(cell: Cell, metrics: Mapping[str, Any], score_on: str) -> str:
    """What the cell is, how well it does, what its variant does.

    Args:
        cell: Which.
        metrics: Its scores with its recipe, and why they are stale if they are.
        score_on: Which rows they are of.
    """
    sample = cell.sample
    lines = [
        f"`{cell.variant}` on {sample.corpus}, K = {sample.shots}, seed {sample.seed}: "
        f"micro-F1 {_figure(metrics['micro_f1'])} (precision "
        f"{_figure(metrics['micro_precision'])}, recall {_figure(metrics['micro_recall'])}) on "
        f"{metrics['rows']} {_ROWS[score_on]}.",
        *(f"**Stale**: {reason}." for reason in metrics["stale"]),
        "\n".join(f"- {said}" for said in _recipe(metrics["recipe"])),
    ]
    return "\n\n".join(line for line in lines if line)


def note_of_experiment(summary: pd.DataFrame, cells: pd.DataFrame) -> str:
    """The scores of an experiment.

    Args:
        summary: Its means.
        cells: Its scores.
    """
    return "\n\n".join(
        "\n".join([f"**{table.title}**, {table.note}.", "", *markdown(table)])
        for table in score_tables(summary, cells)
    )


def _figure(score: float | None) -> str:
    return "unknown" if score is None else f"{score:.1f}"


def _recipe(recipe: Mapping[str, Any]) -> Iterator[str]:
    """Nothing for a recipe of another version, which this one cannot read."""
    with suppress(ValidationError):
        yield from recipe_in_words(Variant.model_validate(recipe))


TRUST = ("temperature", "ece_before", "ece_after", "nll_before", "nll_after", "aurc")
TABLES = ("summary", "cells", "samples", "calibration", "diagnosis", "implicit", "collapse")
PAGES = ("f1_by_variant_page", "confusion_page", "learning_curves_page", "calibration_figures_page")


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
    calibrator = _loaded(catalog, f"{cell.name}.{score_on}_calibration_scores") or {}
    told = {
        "metrics": metrics,
        "lineage": lineage.model_dump(mode="json"),
        "calibrator": calibrator,
    }
    # F1 first: servers keep the order.
    scores = f1_first()
    figures = {name: metrics[name] for name in (*scores, "seconds", "rows")}
    figures |= {f"f1/{r['relation']}": r["f1"] for r in metrics["by_relation"]}
    figures |= {f"calibration/{name}": calibrator[name] for name in TRUST if name in calibrator}
    return Tracked(
        name=cell.name,
        title=f"{cell.variant} {cell.sample.name}",
        digest=digest_of(told),
        started=_started(catalog, scored),
        seconds=lineage.seconds,
        tags=_tags(cell) | _origin(catalog, cell, lineage, metrics["stale"]),
        note=note_of_cell(cell, metrics, score_on),
        command=f"kedro run --to-outputs {scored}",
        revision=_revision([lineage]),
        params=flat(metrics["recipe"]),
        metrics=_finite(figures),
        curves=_curves(catalog, cell, metrics["recipe"]),
        files={"metrics.json": metrics, "lineage.json": told["lineage"], "trust.json": calibrator},
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
    told = [axis for axis in GROUP_KEYS if varies(summary, axis)]
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
    sample = cell.sample
    named = {"corpus": sample.corpus, "k": sample.shots, "seed": sample.seed, "variant": cell.variant,
             "synthetic": sample.synthetic, "noise": sample.noise, "filtered": sample.filtered,
             "llm": sample.llm}  # fmt: skip
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


def _curves(
    catalog: CatalogProtocol, cell: Cell, recipe: Mapping[str, Any]
) -> dict[str, list[tuple[int, float]]]:
    """Losses of all stages of a cell; those of pre-training lie beside the encoder."""
    homes = {"finetuning": cell}
    with suppress(ValidationError):  # a recipe of another version
        variant = Variant.model_validate(recipe)
        sample = variant.pretrained_on.sample(cell.sample)
        homes = {stage: Cell(sample, name) for stage, name in variant.encoders.items()} | homes
    curves = {}
    for stage, home in homes.items():
        frame = _loaded(catalog, f"{home.name}.{stage}_losses")
        if frame is None:
            continue
        for column in frame.columns.difference(["epoch", "step"], sort=False):
            points = frame[["step", column]].dropna().itertuples(index=False)
            curves[f"{stage}/{column}"] = [(int(step), float(value)) for step, value in points]
    return {name: points for name, points in curves.items() if points}


def _metric(row: Mapping[Any, Any], axes: Sequence[str]) -> str:
    """The name of a mean: servers sample those beside one another that differ in the last part."""
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


CELL, EXPERIMENT = "cell", "experiment"
# How tags of the project's own are named; MLflow shows tags of a run as columns.
KIND, NAME, DIGEST, OF, OLD = "tkre.kind", "tkre.name", "tkre.digest", "tkre.of", "tkre.superseded"
# MLflow's own, which its pages read.
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"
SOURCE, COMMIT = "mlflow.source.name", "mlflow.source.git.commit"
# Else runs are shown among the evaluations of prompts.
KIND_OF_EXPERIMENT, TRAINING = "mlflow.experimentKind", "custom_model_development"
LONGEST = 5000  # characters of a parameter or a tag; MLflow refuses 6,000
SQLITE = "sqlite:///"


class TrackingError(RuntimeError):
    """Runs cannot be tracked; the message says what to install or to set."""


class MlflowSettings(BaseModel):
    """What of ``mlflow.yml`` is used here; the rest is kedro-mlflow's.

    Attributes:
        uri: Of the tracking server or the database.
        experiment: Name of the MLflow experiment that all runs are in.
        artifacts: Where files go; None leaves it to the server.
    """

    uri: str
    experiment: str
    artifacts: str | None = None

    @classmethod
    def read(cls, content: dict[str, Any], root: Path) -> MlflowSettings:
        """The settings in the content of ``mlflow.yml``; local paths are relative to the project.

        Raises:
            TrackingError: It names no tracking URI.
        """
        tracking = content.get("tracking", {}).get("experiment", {})
        uri = content.get("server", {}).get("mlflow_tracking_uri")
        if not uri:
            raise TrackingError("set server.mlflow_tracking_uri in conf/base/mlflow.yml")
        if uri.startswith(SQLITE) and not uri.startswith(f"{SQLITE}/"):
            file = root / uri.removeprefix(SQLITE)
            file.parent.mkdir(parents=True, exist_ok=True)
            uri = f"{SQLITE}{file}"
        place = tracking.get("create_experiment_kwargs", {}).get("artifact_location")
        if place and "://" not in place:
            place = (root / place).as_uri()
        return cls(uri=uri, experiment=tracking.get("name") or "tkre", artifacts=place)


class MlflowRuns:
    """The runs of this project on a tracking server.

    Args:
        settings: Which server, which experiment of it.

    Raises:
        TrackingError: MLflow is not installed.
    """

    def __init__(self, settings: MlflowSettings) -> None:
        try:
            from mlflow import MlflowClient
        except ImportError:
            raise TrackingError("MLflow is not installed: pip install -e '.[tracking]'") from None
        self._client: MlflowClient = MlflowClient(tracking_uri=settings.uri)
        found = self._client.get_experiment_by_name(settings.experiment)
        self._experiment: str = (
            found.experiment_id
            if found
            else self._client.create_experiment(settings.experiment, settings.artifacts)
        )
        if found is None or KIND_OF_EXPERIMENT not in found.tags:
            self._client.set_experiment_tag(self._experiment, KIND_OF_EXPERIMENT, TRAINING)

    def track(self, experiment: Tracked, cells: Iterable[Tracked]) -> Iterator[str]:
        """Tells of an experiment and its cells what has not been told.

        A cell that was made again gets a run of its own; the one before is marked.

        Yields:
            The names of what was told.
        """
        parents = self._find(EXPERIMENT, experiment.name)
        known = next((run for run in parents if _told(run, experiment)), None)
        parent = known.info.run_id if known else self._add(experiment, EXPERIMENT, {})
        if known is None:
            self._mark(parents)
            yield experiment.name
        for cell in cells:
            earlier = self._find(CELL, cell.name, of=experiment.name)
            same = next((run for run in earlier if _told(run, cell)), None)
            if same is None:
                self._add(cell, CELL, {OF: experiment.name, PARENT: parent})
                self._mark(earlier)
                yield cell.name
            elif same.data.tags.get(PARENT) != parent:  # the report is new, the cell is not
                self._client.set_tag(same.info.run_id, PARENT, parent)

    def _find(self, kind: str, name: str, of: str | None = None) -> list[Run]:
        wanted = {KIND: kind, NAME: name} | ({OF: of} if of else {})
        conditions = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in wanted.items())
        return list(self._client.search_runs([self._experiment], conditions))

    def _add(self, tracked: Tracked, kind: str, tags: dict[str, str]) -> str:
        """Makes a run, its digest last: a run that was cut off is not taken for a whole one."""
        start = _milliseconds(tracked.started)
        named = {KIND: kind, NAME: tracked.name, NOTE: tracked.note, SOURCE: tracked.command}
        named |= tags | ({COMMIT: tracked.revision} if tracked.revision else {})
        run = self._client.create_run(
            self._experiment,
            start_time=start,
            run_name=tracked.title,
            tags={tag: value[:LONGEST] for tag, value in (named | tracked.tags).items()},
        )
        self._log(run.info.run_id, tracked, start)
        for name, content in tracked.files.items():
            self._client.log_dict(run.info.run_id, content, name)
        for path in tracked.copies.values():
            self._client.log_artifact(run.info.run_id, path)
        self._client.set_tag(run.info.run_id, DIGEST, tracked.digest)
        end = start + round(1000 * tracked.seconds)
        self._client.set_terminated(run.info.run_id, end_time=end)
        return str(run.info.run_id)

    def _log(self, run: str, tracked: Tracked, time: int) -> None:
        from mlflow.entities import Metric, Param

        metrics = [Metric(name, value, time, 0) for name, value in tracked.metrics.items()]
        for name, points in tracked.curves.items():
            metrics += [Metric(name, value, time, step) for step, value in points]
        params = [Param(name, value[:LONGEST]) for name, value in tracked.params.items()]
        # At most so many of each are taken at a time.
        for at in range(0, len(metrics), 1000):
            self._client.log_batch(run, metrics=metrics[at : at + 1000])
        for at in range(0, len(params), 100):
            self._client.log_batch(run, params=params[at : at + 100])

    def _mark(self, runs: Iterable[Run]) -> None:
        for run in runs:
            self._client.set_tag(run.info.run_id, OLD, "true")


def _told(run: Run, tracked: Tracked) -> bool:
    return run.data.tags.get(DIGEST) == tracked.digest


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
