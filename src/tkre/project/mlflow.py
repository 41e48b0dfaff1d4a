"""MLflow runs: one per finished cell, under one per experiment. MLflow is imported on use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import CatalogProtocol
from pydantic import BaseModel, ValidationError

from tkre.core.cells import Cell
from tkre.core.errors import UserError
from tkre.core.provenance import Lineage, digest_of, seconds_of
from tkre.datasets import load_path
from tkre.evaluation.metrics import METRICS, f1_first
from tkre.evaluation.results import GROUP_KEYS, varies
from tkre.modeling.weights import lineage_facts
from tkre.project.results import PUBLISHED
from tkre.report.formatting import recipe_in_words
from tkre.report.tables import markdown, score_tables
from tkre.training.recipes import Variant
from tkre.training.stages import STAGES

CELL, EXPERIMENT = "cell", "experiment"
# Tags of the project; MLflow shows tags of a run as columns.
KIND, NAME, DIGEST, OF, OLD = "tkre.kind", "tkre.name", "tkre.digest", "tkre.of", "tkre.superseded"
# Tags that MLflow's pages read.
PARENT, NOTE = "mlflow.parentRunId", "mlflow.note.content"
SOURCE, COMMIT = "mlflow.source.name", "mlflow.source.git.commit"
# Without this tag runs are listed among evaluations of prompts.
KIND_OF_EXPERIMENT, TRAINING = "mlflow.experimentKind", "custom_model_development"
LONGEST, MOST_PARAMS, MOST_METRICS = 5000, 100, 1000  # limits of one call to a server
SQLITE = "sqlite:///"


class TrackingError(UserError, RuntimeError):
    """Runs cannot be logged; the message says what to install or to set."""


class MlflowSettings(BaseModel):
    """Part of ``mlflow.yml`` that is used here; the rest is kedro-mlflow's.

    Attributes:
        uri: Tracking server or database.
        experiment: Name of the MLflow experiment of all runs.
        artifacts: Folder of artifacts; None leaves it to the server.
    """

    uri: str
    experiment: str
    artifacts: str | None = None

    @classmethod
    def read(cls, content: dict[str, Any], root: Path) -> MlflowSettings:
        """Settings in the content of ``mlflow.yml``; local paths are relative to the project.

        Raises:
            TrackingError: There is no tracking URI.
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


@dataclass(frozen=True)
class Record:
    """Content of one run.

    Attributes:
        kind: ``CELL`` or ``EXPERIMENT``.
        name: Name of the cell or the experiment.
        title: Name of the run, with the variant first: columns of names are narrow.
        digest: Digest of the content; equal digests are logged once.
        started: Version of the scores: when the command began that wrote them.
        seconds: Seconds of training, the run's duration.
        tags: Tags, with MLflow's own for the note, the command and the commit.
        params: Parameters by dotted names.
        metrics: Finite scores.
        curves: Losses and validation scores, one row per step.
        tables: Tables by dataset name.
        files: Contents of JSON files by file name.
        artifacts: Files to copy.
    """

    kind: str
    name: str
    title: str
    digest: str
    started: datetime
    seconds: float
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, float]
    curves: dict[str, pd.DataFrame] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    artifacts: list[Path] = field(default_factory=list)


def cell_record(catalog: CatalogProtocol, cell: Cell, score_on: str) -> Record | None:
    """Record of a cell; None if it has not been scored.

    Args:
        catalog: Catalog with the outputs of the cell.
        cell: The cell.
        score_on: Scored rows of its experiment: ``test`` or ``development``.
    """
    scored = f"{cell.name}.{score_on}_metrics"
    if (metrics := _loaded(catalog, scored)) is None:
        return None
    lineage: Lineage = catalog.load(f"{cell.name}.lineage")
    calibration = _loaded(catalog, f"{cell.name}.{score_on}_calibration_scores") or {}
    files = {
        "metrics.json": metrics,
        "lineage.json": lineage.model_dump(mode="json"),
        "calibration.json": calibration,
    }
    sample, facts = cell.sample, lineage_facts(lineage)
    place = {"corpus": sample.corpus, "k": sample.shots, "seed": sample.seed,
             "variant": cell.variant, "synthetic": sample.synthetic, "noise": sample.noise,
             "filtered": sample.filtered, "annotated": sample.annotated,
             "chosen": sample.chosen, "llm": sample.llm}  # fmt: skip
    tags = {name: str(value) for name, value in place.items()} | {
        "backbone": facts["backbone"],
        "weights": facts["digest"],
        "stages": ", ".join(step["stage"] for step in facts["steps"]),
        NOTE: cell_note(cell, metrics, score_on),
        SOURCE: f"kedro run --to-outputs {scored}",
    }
    if metrics["stale"]:
        tags["stale"] = "; ".join(metrics["stale"])
    if catalog.exists(f"{cell.name}.classifier"):  # named, not copied
        tags["classifier"] = f"version {_version(catalog, f'{cell.name}.classifier')}"
    figures = {name: metrics[name] for name in (*f1_first(), "seconds", "rows") if name in metrics}
    figures |= {f"f1/{_key(row['relation'])}": row["f1"] for row in metrics["by_relation"]}
    figures |= {f"calibration/{name}": value for name, value in calibration.items()}
    stages = (*STAGES, "finetuning")
    losses = {stage: _loaded(catalog, f"{cell.name}.{stage}_losses") for stage in stages}
    return Record(
        kind=CELL,
        name=cell.name,
        title=f"{cell.variant} {cell.sample.name}",
        digest=digest_of(files),
        started=_started(catalog, scored),
        seconds=lineage.seconds,
        tags=tags | _commit([lineage]),
        params=flat(metrics["recipe"]),
        metrics=_finite(figures),
        curves={stage: frame for stage, frame in losses.items() if frame is not None},
        files=files,
    )


def experiment_record(
    catalog: CatalogProtocol, name: str, grid: Mapping[str, Any], cells: Iterable[Cell]
) -> Record | None:
    """Record of an experiment; None if it has not been reported.

    Args:
        catalog: Catalog with the tables of the experiment.
        name: Name of the experiment.
        grid: Entry of ``experiments.yml``.
        cells: Cells of the experiment.
    """
    summary: pd.DataFrame | None = _loaded(catalog, f"{name}.summary")
    if summary is None:
        return None
    axes = [axis for axis in GROUP_KEYS if varies(summary, axis)]
    figures: dict[str, float] = {}
    for row in summary.to_dict("records"):
        # MLflow groups charts by the part before the last slash: variants stand side by side.
        path = [row["metric"], *(f"{axis}-{row[axis]}" for axis in axes), row["variant"]]
        figures["/".join(path)] = row["mean"]
        figures["/".join(["difference", *path])] = row["difference"]
    tables = {table: _loaded(catalog, f"{name}.{table}") for table in PUBLISHED}
    loaded = (_loaded(catalog, f"{cell.name}.lineage") for cell in cells)
    lineages = [found for found in loaded if found is not None]
    page = load_path(catalog.get(f"{name}.report")) if catalog.exists(f"{name}.report") else None
    note = "\n\n".join(
        "\n".join([f"**{table.title}**, {table.note}.", "", *markdown(table)])
        for table in score_tables(summary, catalog.load(f"{name}.cells"))
    )
    return Record(
        kind=EXPERIMENT,
        name=name,
        title=name,
        digest=digest_of(summary.to_json(orient="records")),
        started=_started(catalog, f"{name}.summary"),
        seconds=seconds_of(lineages),
        tags={"experiment": name, NOTE: note, SOURCE: f"kedro run --pipelines {name}"}
        | _commit(lineages),
        params=flat(grid),
        metrics=_finite(figures),
        tables={table: frame for table, frame in tables.items() if frame is not None},
        artifacts=[] if page is None else [page],
    )


def cell_note(cell: Cell, metrics: Mapping[str, Any], score_on: str) -> str:
    """Description of a cell in Markdown: its scores and its recipe in words."""
    scores = ", ".join(
        f"{METRICS[name].title} "
        + ("unknown" if metrics.get(name) is None else f"{metrics[name]:.1f}")
        for name in f1_first()
    )
    lines = [
        f"`{cell.variant}` on {cell.sample.corpus}, K = {cell.sample.shots}, seed "
        f"{cell.sample.seed}, {metrics['rows']} {score_on} sentences: {scores}.",
        *(f"**Stale**: {reason}." for reason in metrics["stale"]),
    ]
    if score_on != "test":
        lines.append("Recipes were chosen on these rows: the scores are optimistic.")
    with suppress(ValidationError):  # the recipe of another version
        recipe = recipe_in_words(Variant.model_validate(metrics["recipe"]))
        lines.append("\n".join(f"- {line}" for line in recipe))
    return "\n\n".join(lines)


def flat(value: Any, name: str = "") -> dict[str, str]:
    """Parameters by dotted names, without those that are None."""
    if isinstance(value, Mapping):
        parts = (flat(part, f"{name}.{key}" if name else str(key)) for key, part in value.items())
        return {key: text for part in parts for key, text in part.items()}
    if value is None:
        return {}
    return {name: ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)}


def _key(relation: str) -> str:
    """A relation in the letters that MLflow allows in the name of a metric."""
    return re.sub(r"[^\w. -]", "_", relation)


def _commit(lineages: Iterable[Lineage]) -> dict[str, str]:
    """Revision of the code of the last stages; empty if there is not exactly one."""
    places = [lineage.steps[-1].environment for lineage in lineages if lineage.steps]
    revisions = {None if place is None else place.revision for place in places}
    revision = revisions.pop() if len(revisions) == 1 else None
    return {} if revision is None else {COMMIT: revision}


def _finite(figures: Mapping[str, Any]) -> dict[str, float]:
    """Numbers that a server accepts, rounded to four decimals: pages show all digits."""
    numbers = {name: x for name, x in figures.items() if isinstance(x, int | float)}
    return {name: round(float(x), 4) for name, x in numbers.items() if isfinite(x)}


def _loaded(catalog: CatalogProtocol, name: str) -> Any:
    return catalog.load(name) if catalog.exists(name) else None


def _version(catalog: CatalogProtocol, name: str) -> str:
    return str(catalog.get(name).resolve_load_version())


def _started(catalog: CatalogProtocol, name: str) -> datetime:
    return datetime.strptime(_version(catalog, name), "%Y-%m-%dT%H.%M.%S.%fZ").replace(tzinfo=UTC)


class MlflowRuns:
    """Runs of this project in an MLflow experiment.

    Args:
        settings: Server and experiment.

    Raises:
        TrackingError: MLflow is not installed.
    """

    def __init__(self, settings: MlflowSettings) -> None:
        try:
            import mlflow
        except ImportError:
            raise TrackingError("MLflow is not installed: pip install -e '.[tracking]'") from None
        mlflow.set_tracking_uri(settings.uri)
        if mlflow.get_experiment_by_name(settings.experiment) is None:
            mlflow.create_experiment(settings.experiment, settings.artifacts)
        self._mlflow, self._client = mlflow, mlflow.MlflowClient()
        found = mlflow.set_experiment(settings.experiment)
        self._experiment: str = found.experiment_id
        if KIND_OF_EXPERIMENT not in found.tags:
            mlflow.set_experiment_tag(KIND_OF_EXPERIMENT, TRAINING)

    def log(self, experiment: Record, cells: Iterable[Record]) -> Iterator[str]:
        """Log an experiment and its cells, each content once.

        A cell that was made again gets a run of its own; the tag ``OLD`` marks the earlier one.

        Yields:
            Names of what was logged.
        """
        parent = ""
        for record in (experiment, *cells):
            of_experiment = {OF: experiment.name, PARENT: parent} if parent else {}
            earlier = self._find(record, of_experiment)
            same = next((r for r in earlier if r.data.tags.get(DIGEST) == record.digest), None)
            run_id: str = same.info.run_id if same else self._add(record, of_experiment)
            if same is None:
                for run in earlier:
                    self._client.set_tag(run.info.run_id, OLD, "true")
                yield record.name
            elif parent:  # a new report takes over the cells that are the same
                self._client.set_tag(run_id, PARENT, parent)
            parent = parent or run_id

    def _find(self, record: Record, of_experiment: dict[str, str]) -> list[Any]:
        wanted = {KIND: record.kind, NAME: record.name}
        wanted |= {OF: of_experiment[OF]} if of_experiment else {}
        conditions = " and ".join(f"tags.`{tag}` = '{value}'" for tag, value in wanted.items())
        return list(self._client.search_runs([self._experiment], conditions))

    def _add(self, record: Record, tags: dict[str, str]) -> str:
        """Log a run; its digest comes last, so that an interrupted one is logged again."""
        start = round(1000 * record.started.timestamp())
        tags = {KIND: record.kind, NAME: record.name} | tags | record.tags
        tags = {tag: value[:LONGEST] for tag, value in tags.items()}
        run: str = self._client.create_run(
            self._experiment, start_time=start, run_name=record.title, tags=tags
        ).info.run_id
        self._log(run, record, start)
        self._client.set_tag(run, DIGEST, record.digest)
        self._client.set_terminated(run, end_time=start + round(1000 * record.seconds))
        return run

    def _log(self, run: str, record: Record, time: int) -> None:
        mlflow = self._mlflow
        params = [(name, value[:LONGEST]) for name, value in record.params.items()]
        for at in range(0, len(params), MOST_PARAMS):
            mlflow.log_params(dict(params[at : at + MOST_PARAMS]), run_id=run)
        mlflow.log_metrics(record.metrics, step=0, run_id=run, timestamp=time)
        points = [
            mlflow.entities.Metric(f"{stage}/{column}", float(value), time, int(step))
            for stage, frame in record.curves.items()
            for column in frame.columns.difference(["epoch", "step"], sort=False)
            for step, value in frame[["step", column]].dropna().itertuples(index=False)
        ]
        for at in range(0, len(points), MOST_METRICS):
            self._client.log_batch(run, metrics=points[at : at + MOST_METRICS])
        for name, table in record.tables.items():
            mlflow.log_table(table, f"{name}.json", run_id=run)
        for name, content in record.files.items():
            mlflow.log_dict(content, name, run_id=run)
        for path in record.artifacts:
            mlflow.log_artifact(str(path), run_id=run)
