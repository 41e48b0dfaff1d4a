"""Runs of MLflow, imported when it is used: one for each cell, under one for its experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from tkre.tracking.cells import Tracked

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

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
