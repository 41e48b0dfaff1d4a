"""Runs on a real MLflow, in a database of its own; and with kedro-mlflow beside it.

python -m venv /tmp/tracking
/tmp/tracking/bin/pip install -c constraints.txt -e '.[tracking]' kedro-mlflow pytest
/tmp/tracking/bin/python -m pytest tests/project/test_mlflow_runs.py
"""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.smoke_project import Project
from tkre.project.mlflow import (
    COMMIT,
    DIGEST,
    KIND_OF_EXPERIMENT,
    LONGEST,
    NAME,
    NOTE,
    OLD,
    PARENT,
    SOURCE,
    TRAINING,
    MlflowRuns,
    MlflowSettings,
    TrackingError,
    cell_record,
    experiment_record,
)

HERE = importlib.util.find_spec("mlflow") is not None
needs_mlflow = pytest.mark.skipif(not HERE, reason="needs the extra `tracking` (the docstring)")
# mlflow's own imports and tables
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def database(tmp_path_factory) -> Path | None:
    """An empty database: MLflow takes a second to make one."""
    if not HERE:
        return None
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def settings(database, tmp_path) -> MlflowSettings:
    (tmp_path / "runs").mkdir()
    if database:
        shutil.copy(database, tmp_path / "runs")
    content = {
        "server": {"mlflow_tracking_uri": "sqlite:///runs/mlflow.db"},
        "tracking": {"experiment": {"name": "mine", "create_experiment_kwargs": {
            "artifact_location": "runs/artifacts"}}},
    }  # fmt: skip
    return MlflowSettings.read(content, tmp_path)


@pytest.fixture
def records(catalog, cell):
    whole = experiment_record(catalog, "demo", {"shots": [8]}, [cell])
    return whole, cell_record(catalog, cell, "test")


def runs_of(settings):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=settings.uri)
    experiment = client.get_experiment_by_name(settings.experiment)
    return client, list(client.search_runs([experiment.experiment_id]))


def test_local_paths_are_those_of_the_project(settings, tmp_path):
    assert settings.uri == f"sqlite:///{tmp_path}/runs/mlflow.db"
    assert settings.artifacts == (tmp_path / "runs/artifacts").as_uri()
    server = {"server": {"mlflow_tracking_uri": "http://tracking:5000"}}
    assert MlflowSettings.read(server, tmp_path) == MlflowSettings(
        uri="http://tracking:5000", experiment="tkre", artifacts=None
    )
    with pytest.raises(TrackingError, match="mlflow_tracking_uri"):
        MlflowSettings.read({}, tmp_path)


@pytest.mark.skipif(HERE, reason="mlflow is installed")
def test_without_mlflow_it_is_said_what_to_install(settings):
    with pytest.raises(TrackingError, match=r"pip install -e '.\[tracking\]'"):
        MlflowRuns(settings)


@needs_mlflow
def test_a_cell_is_a_run_under_that_of_its_experiment(settings, records):
    experiment, cell = records
    assert list(MlflowRuns(settings).log(experiment, [cell])) == ["demo", cell.name]
    client, runs = runs_of(settings)
    by_name = {run.data.tags[NAME]: run for run in runs}
    assert {run.info.run_name for run in runs} == {"demo", "tkre toy.k8x4.s13"}
    run, parent = by_name[cell.name], by_name["demo"]
    assert run.data.tags[PARENT] == parent.info.run_id and PARENT not in parent.data.tags
    assert run.data.params["finetuning.layers"] == "1, 2" and run.data.tags["seed"] == "13"
    assert run.data.metrics["f1/born_in"] == 80
    assert "micro-F1 44.4" in run.data.tags[NOTE] and "| tkre |" in parent.data.tags[NOTE]
    assert parent.data.tags[SOURCE] == "kedro run --pipelines demo" and COMMIT not in run.data.tags
    history = client.get_metric_history(run.info.run_id, "finetuning/loss")
    assert [(m.step, m.value) for m in history] == [(1, 3.0), (2, 2.0), (3, 1.5)]
    assert (run.info.status, run.info.end_time - run.info.start_time) == ("FINISHED", 5000)
    assert {f.path for f in client.list_artifacts(run.info.run_id)} == set(cell.files)
    assert {f.path for f in client.list_artifacts(parent.info.run_id)} == {
        "summary.json", "cells.json"
    }  # fmt: skip


@needs_mlflow
def test_runs_are_shown_as_training_unless_their_owner_says_otherwise(settings, records):
    from mlflow import MlflowClient

    MlflowRuns(settings)
    client = MlflowClient(tracking_uri=settings.uri)

    def kind():
        return client.get_experiment_by_name("mine").tags[KIND_OF_EXPERIMENT]

    assert kind() == TRAINING
    client.set_experiment_tag(
        client.get_experiment_by_name("mine").experiment_id, KIND_OF_EXPERIMENT, "mine"
    )
    MlflowRuns(settings)
    assert kind() == "mine"


@needs_mlflow
def test_a_logged_cell_is_not_logged_twice(settings, records):
    experiment, cell = records
    list(MlflowRuns(settings).log(experiment, [cell]))
    assert list(MlflowRuns(settings).log(experiment, [cell])) == []
    assert len(runs_of(settings)[1]) == 2


@needs_mlflow
def test_a_cell_that_was_made_again_has_a_new_run_and_the_old_one_is_marked(settings, records):
    experiment, cell = records
    list(MlflowRuns(settings).log(experiment, [cell]))
    again = replace(cell, digest="other", metrics={"micro_f1": 50.0})
    assert list(MlflowRuns(settings).log(experiment, [again])) == [cell.name]
    _, runs = runs_of(settings)
    marked = {run.data.tags[DIGEST]: run.data.tags.get(OLD) for run in runs}
    assert marked == {experiment.digest: None, cell.digest: "true", "other": None}


@needs_mlflow
def test_a_new_report_takes_over_the_cells_that_are_the_same(settings, records):
    experiment, cell = records
    list(MlflowRuns(settings).log(experiment, [cell]))
    report = replace(experiment, digest="new")
    assert list(MlflowRuns(settings).log(report, [cell])) == ["demo"]
    _, runs = runs_of(settings)
    [parent] = [run for run in runs if run.data.tags[DIGEST] == "new"]
    [run] = [run for run in runs if run.data.tags[NAME] == cell.name]
    assert run.data.tags[PARENT] == parent.info.run_id


@needs_mlflow
def test_an_interrupted_run_is_logged_again(settings, records, monkeypatch):
    experiment, cell = records
    runs = MlflowRuns(settings)

    def dies(*_):
        raise OSError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "_log", dies)
        with pytest.raises(OSError, match="gone"):
            list(runs.log(experiment, [cell]))
    assert list(MlflowRuns(settings).log(experiment, [cell])) == ["demo", cell.name]


@needs_mlflow
def test_long_and_many_parameters_are_taken(settings, records):
    experiment, cell = records
    many = {f"p{n}": "x" * 9000 for n in range(230)}
    list(MlflowRuns(settings).log(experiment, [replace(cell, params=many)]))
    [run] = [run for run in runs_of(settings)[1] if run.data.tags[NAME] == cell.name]
    assert len(run.data.params) == 230 and len(run.data.params["p0"]) == LONGEST


@pytest.mark.slow
@needs_mlflow
def test_a_run_is_tracked_by_a_command_of_its_own(tiny_backbone, tmp_path):
    """With kedro-mlflow installed or not, `kedro run` passes and knows nothing of it."""
    project = Project(tmp_path, tiny_backbone)
    grid = {"corpora": ["newsroom"], "variants": ["typ_marker"]}
    project.write("conf/smoke/experiments.yml", {"small": grid})
    early = project.kedro("results", "track", "small")
    assert early.returncode == 1 and "kedro run --pipelines small" in early.stdout
    result = project.kedro("run", "--pipelines", "small")
    assert result.returncode == 0, result.stdout
    assert not (project.folder / "mlflow.db").exists() and not (project.folder / "mlruns").exists()
    first = project.kedro("results", "track", "small")
    assert "small: 1 of 1 finished cells logged now" in first.stdout, first.stdout
    again = project.kedro("results", "track", "small")
    assert "small: 0 of 1 finished cells logged now" in again.stdout
    assert (project.folder / "data/08_reporting/mlflow/mlflow.db").is_file()


def test_the_hook_of_kedro_mlflow_is_off():
    """It takes the name with an underscore; one with a hyphen would be ignored."""
    from tkre import settings

    assert settings.DISABLE_HOOKS_FOR_PLUGINS == ("kedro_mlflow",)


@needs_mlflow
def test_the_settings_are_ones_that_kedro_mlflow_takes(settings):
    pytest.importorskip("kedro_mlflow", reason="needs kedro-mlflow beside it (the docstring)")
    import yaml
    from kedro_mlflow.config.kedro_mlflow_config import KedroMlflowConfig

    content = yaml.safe_load((ROOT / "conf/base/mlflow.yml").read_text(encoding="utf-8"))
    assert KedroMlflowConfig.model_validate(content).tracking.experiment.name == "tkre"
