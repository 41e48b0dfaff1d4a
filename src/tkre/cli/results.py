"""``kedro results``: pages of results for the docs, results made again, MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.io import CatalogProtocol

from tkre.cli.frame import FramedGroup
from tkre.cli.overrides import with_text
from tkre.cli.session import PARAMETERS, env_option, session
from tkre.core.params import did_you_mean
from tkre.core.terminal import say_next
from tkre.project.config import ExperimentConfig
from tkre.project.results import draw_page, write_results
from tkre.report.published import filled

if TYPE_CHECKING:
    from tkre.project.mlflow import MlflowRuns

experiments_argument = click.argument("experiments", nargs=-1, required=True)
folder_option = click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs/results")
)


@click.group(cls=FramedGroup)
def results() -> None:
    """Results of experiments: for the docs, made again, for MLflow."""


@results.command("track")
@experiments_argument
@env_option
def track_command(experiments: tuple[str, ...], env: str | None) -> None:
    """Log finished cells to MLflow (extra `tracking`).

    Logs a run for each cell of EXPERIMENTS, once, under one for its experiment;
    conf/base/mlflow.yml has the server.
    """
    from tkre.project.mlflow import MlflowRuns, MlflowSettings

    with session(env) as project:
        context = project.context
        _require(experiments, project.config)
        settings = MlflowSettings.read(context.config_loader["mlflow"], context.project_path)
        runs = MlflowRuns(settings)
        for name in experiments:
            _track(runs, project.catalog, project.config, name)
    say_next(f"kedro results write {' '.join(experiments)}")


@results.command("write")
@experiments_argument
@env_option
@click.option("--params", default="", callback=with_text, help=PARAMETERS)
@folder_option
def write_command(
    experiments: tuple[str, ...], env: str | None, params: tuple[str, dict[str, Any]], folder: Path
) -> None:
    """Write a page of results for each experiment.

    The page has curves and the tables behind them; EXPERIMENTS have been run.
    """
    text, given = params
    with session(env, params=given) as project:
        catalog, config = project.catalog, project.config
        _require(experiments, config)
        cells = {name: list(config.cells(name)) for name in experiments}
        write_results(catalog, cells, config.parameters, folder, env, text)
        for name in experiments:
            _draw(config, name, folder)
    say_next(f"kedro results verify {experiments[0]}")


@results.command("verify")
@click.argument("experiment")
@click.option("--cell", "names", multiple=True, help="Cell, e.g. newsroom.k8.s13.tkre; else all.")
@env_option
@click.option("--params", default="", callback=with_text, help=PARAMETERS)
def verify_command(
    experiment: str, names: tuple[str, ...], env: str | None, params: tuple[str, dict[str, Any]]
) -> None:
    """Make cells of EXPERIMENT again and compare them with its manifest.

    Runs in a scratch folder. Prints for each cell whether it is the same, or what differs and by
    how much; ends with 1 if one differs.
    """
    from tkre.project.verification import verify

    failed = False
    with session(env, params=params[1]) as project:
        context, catalog = project.context, project.catalog
        _require((experiment,), project.config)
        known = {cell.name: cell for cell in project.config.cells(experiment)}
        for name in names:
            if name not in known:
                raise LookupError(f"{experiment} has no cell {name!r}{did_you_mean(name, known)}")
        cells = [known[name] for name in names or known]
        done = verify(experiment, cells, context.project_path, catalog, project.config, env, params)
        for name, found, apart in done:
            click.echo(f"{name}: {found.verdict}")
            shown = (*found.inputs, *found.places, *found.results, *([apart] if apart else []))
            for line in shown:
                click.echo(f"  {line}")
            failed |= found.verdict == "differs"
    if failed:
        raise click.exceptions.Exit(1)
    say_next(f"kedro results write {experiment}")


@results.command("draw")
@experiments_argument
@env_option
@folder_option
def draw_command(experiments: tuple[str, ...], env: str | None, folder: Path) -> None:
    """Write the pages of published experiments again.

    Pages and curves are made from the tables of EXPERIMENTS in the docs; nothing is run.
    """
    with session(env) as project:
        _require(experiments, project.config)
        for name in experiments:
            _draw(project.config, name, folder)
    say_next("kedro results fill README.md")


@results.command("fill")
@click.argument(
    "pages", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@folder_option
def fill_command(pages: tuple[Path, ...], folder: Path) -> None:
    """Fill the tables of PAGES from published results.

    A comment above a table names the sources of its last columns, as in README.md.
    """
    for page in pages:
        page.write_text(filled(page.read_text("utf-8"), folder), "utf-8")
        click.echo(page)
    say_next(f"git diff {' '.join(map(str, pages))}")


def _draw(config: ExperimentConfig, name: str, folder: Path) -> None:
    spec = config.experiments[name]
    variants = {variant: config.parameters.variants[variant] for variant in spec.variants}
    for written in draw_page(name, spec, variants, folder):
        click.echo(written)


def _require(experiments: tuple[str, ...], config: ExperimentConfig) -> None:
    if unknown := sorted(set(experiments) - set(config.experiments)):
        raise ValueError(f"no experiment {', '.join(unknown)} in experiments.yml")


def _track(runs: MlflowRuns, catalog: CatalogProtocol, config: ExperimentConfig, name: str) -> None:
    from tkre.project.mlflow import cell_record, experiment_record

    grid = config.experiments[name]
    cells = config.cells(name)
    experiment = experiment_record(catalog, name, grid.model_dump(mode="json"), cells)
    if experiment is None:
        raise FileNotFoundError(f"{name} has no report yet: kedro run --pipelines {name}")
    tracked = [cell_record(catalog, cell, grid.score_on) for cell in cells]
    finished = [cell for cell in tracked if cell is not None]
    logged = list(runs.log(experiment, finished))
    for line in logged:
        click.echo(line)
    new = len(set(logged) - {name})
    click.echo(f"{name}: {new} of {len(finished)} finished cells logged now, the others before")
