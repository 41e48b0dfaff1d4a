"""``kedro results``: the config of results, for the docs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.utils import _split_params
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol

from tkre.cli.session import ENVIRONMENT, PARAMETERS
from tkre.project import config_loader as configuration
from tkre.project.config import ExperimentConfig
from tkre.project.hooks import REFUSALS, Refusal
from tkre.project.results import draw_curves, training, write_results

if TYPE_CHECKING:
    from tkre.project.mlflow import MlflowRuns


FOLDER = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs/results")
)


@click.group()
def results() -> None:
    """The config of results: what experiments found, for the docs."""


@results.command("track")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def track_command(experiments: tuple[str, ...], env: str | None) -> None:
    """Logs the finished cells of EXPERIMENTS to MLflow (extra `tracking`), once each.

    A run for each cell, under one for its experiment; conf/base/mlflow.yml says where.
    """
    from tkre.project.mlflow import MlflowRuns, MlflowSettings

    with KedroSession.create(env=env) as session:
        context = session.load_context()
        config = configuration.read_config()
        try:
            _check(experiments, config)
            found = context.config_loader["mlflow"]
            runs = MlflowRuns(MlflowSettings.read(found, context.project_path))
            for name in experiments:
                _track(runs, context.catalog, config, name)
        except REFUSALS as error:
            raise Refusal(str(error)) from error


def _as_typed(
    context: click.Context, option: click.Parameter, value: str
) -> tuple[str, dict[str, Any]]:
    return value, _split_params(context, option, value)


@results.command("write")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
@click.option("--params", default="", callback=_as_typed, help=PARAMETERS)
@FOLDER
def write_command(
    experiments: tuple[str, ...], env: str | None, params: tuple[str, dict[str, Any]], folder: Path
) -> None:
    """Writes a page, with curves and the tables behind it, for each of EXPERIMENTS that was run."""
    typed, given = params
    with KedroSession.create(env=env, runtime_params=given) as session:
        catalog = session.load_context().catalog
        config = configuration.read_config()
        try:
            _check(experiments, config)
            cells = {name: list(config.cells(name)) for name in experiments}
            for page in write_results(catalog, cells, folder, env, typed):
                click.echo(page)
            for name in experiments:
                _draw(config, name, folder)
            click.echo(training(catalog, {cell for named in cells.values() for cell in named}))
        except REFUSALS as error:
            raise Refusal(str(error)) from error


@results.command("draw")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
@FOLDER
def draw_command(experiments: tuple[str, ...], env: str | None, folder: Path) -> None:
    """Draws the curves of EXPERIMENTS that were published before, from their tables."""
    with KedroSession.create(env=env) as session:
        session.load_context()
        config = configuration.read_config()
        try:
            _check(experiments, config)
            for name in experiments:
                _draw(config, name, folder)
        except REFUSALS as error:
            raise Refusal(str(error)) from error


def _draw(config: ExperimentConfig, name: str, folder: Path) -> None:
    spec = config.experiments[name]
    variants = {variant: config.parameters.variants[variant] for variant in spec.variants}
    for drawn in draw_curves(name, spec, variants, folder):
        click.echo(drawn)


def _check(experiments: tuple[str, ...], config: ExperimentConfig) -> None:
    if unknown := sorted(set(experiments) - set(config.experiments)):
        raise ValueError(f"no experiment {', '.join(unknown)} in experiments.yml")


def _track(runs: MlflowRuns, catalog: CatalogProtocol, config: ExperimentConfig, name: str) -> None:
    from tkre.project.mlflow import tracked_cell, tracked_experiment

    grid = config.experiments[name]
    placed = config.cells(name)
    whole = tracked_experiment(catalog, name, grid.model_dump(mode="json"), placed)
    if whole is None:
        raise FileNotFoundError(f"{name} has no report yet: kedro run --pipelines {name}")
    cells = [tracked_cell(catalog, cell, grid.score_on) for cell in placed]
    finished = [cell for cell in cells if cell is not None]
    told = list(runs.track(whole, finished))
    for line in told:
        click.echo(line)
    new = len(set(told) - {name})
    click.echo(f"{name}: {new} of {len(finished)} finished cells logged now, the others before")
