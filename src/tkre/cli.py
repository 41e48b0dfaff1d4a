"""Commands of the project beside Kedro's own: ``kedro generation`` and ``kedro results``."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import _split_params
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.table import Table

from tkre import configuration
from tkre.generation.backends.params import OpenAIParams, ReplayParams
from tkre.generation.estimate import Estimate, cost
from tkre.generation.export import export_responses
from tkre.generation.store import ResponseStore
from tkre.grid import parse_cell
from tkre.hooks import REFUSALS, Refusal
from tkre.params import DEFAULT_WRITER
from tkre.planning import LANGUAGE_MODEL, LANGUAGE_MODELS, Plan, plan
from tkre.preflight import REHEARSED, rehearse
from tkre.results import training, write_results
from tkre.runners import GridRunner
from tkre.runners.digests import load_path

if TYPE_CHECKING:  # it imports torch
    from tkre.labelling import Done

ENVIRONMENT = "Environment of the configuration, as of kedro run."
SOURCE = "Folder or archive of the configuration, as of kedro run."
PARAMETERS = "Parameters for this once, as of kedro run: a.b=1,c=2."


@click.group(name="tkre")
def cli() -> None:
    """TKRE."""


def _run_command() -> click.Command:
    """Kedro's own ``run``, with the project's runner where none is named."""
    command = copy.copy(kedro_run)
    command.params = [copy.copy(option) for option in kedro_run.params]
    [runner] = (option for option in command.params if option.name == "runner")
    runner.default = f"{GridRunner.__module__}.{GridRunner.__name__}"
    return command


cli.add_command(_run_command(), "run")


@cli.group()
def generation() -> None:
    """What language models are asked: what it would take, and what they have answered."""


@generation.command("plan")
@click.option("--pipelines", "-p", "names", default="data_generation", help="As of kedro run.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
@click.option("--conf-source", type=click.Path(exists=True), default=None, help=SOURCE)
@click.option("--params", default="", callback=_split_params, help=PARAMETERS)
def plan_command(
    names: str, env: str | None, conf_source: str | None, params: dict[str, Any]
) -> None:
    """Prints what a run would ask of its language models. Asks nothing, writes nothing."""
    with KedroSession.create(env=env, runtime_params=params, conf_source=conf_source) as session:
        try:
            _print_plan(session.load_context(), names.split(","))
        except REFUSALS as error:
            raise Refusal(str(error)) from error


@generation.command("export")
@click.argument("corpus")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
@click.option("--model", default=None, help="Only what this model has answered.")
def export_command(corpus: str, target: Path, env: str | None, model: str | None) -> None:
    """Adds the stored responses for CORPUS to TARGET, a store that can be replayed elsewhere."""
    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        store: ResponseStore = catalog.load(f"{corpus}.responses")
    if not len(store):
        raise Refusal(f"no language model has answered anything for {corpus}: {store.path}")
    origin = export_responses(store, target, model)
    if not origin:
        held = ", ".join(sorted({str(response.model) for response in store.all()}))
        raise Refusal(f"{store.path} holds nothing of {model!r}; its models: {held}")
    for line in origin:
        click.echo(line)


@cli.command("label")
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option("--cell", default=None, help="Whose classifier; inference.classifier if not given.")
@click.option("--wanted-precision", type=float, default=None, help="Withholds what is less sure.")
@click.option("--workers", type=int, default=1, help="More than one: on Ray (extra scale).")
@click.option("--address", default=None, help="Of a Ray cluster; else one is started here.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def label_command(
    source: Path,
    target: Path,
    cell: str | None,
    wanted_precision: float | None,
    workers: int,
    address: str | None,
    env: str | None,
) -> None:
    """Labels the Parquet files in SOURCE into files of the same names in TARGET.

    The same command again goes on with the files that are not done.
    """
    from tkre import labelling

    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        try:
            cell = cell or configuration.read_book().parameters.inference.classifier
            folder, trust = (
                load_path(catalog.get(f"{cell}.{part}")) for part in ("classifier", "trust")
            )
            if folder is None or trust is None:
                raise FileNotFoundError(
                    f"{cell} has no classifier yet: kedro run --to-outputs {cell}.trust"
                )
            labeller = labelling.Labeller(str(folder), str(trust), wanted_precision)
            labeller.extractor()  # refuses a precision that it cannot promise
            files = labelling.partitions(source, target)
            done = (
                labelling.label_here(labeller, files)
                if workers == 1 and address is None
                else labelling.label_on_ray(labeller, files, workers, address)
            )
            _tell_labelled(done)
        except REFUSALS as error:
            raise Refusal(str(error)) from error


def _tell_labelled(files: Iterable[Done]) -> None:
    rows, problems = 0, 0
    for done in files:
        took = f"{done.seconds:.1f} s" if done.seconds else "done before"
        click.echo(
            f"{done.file}: {done.rows} sentences, {done.withheld} withheld, "
            f"{done.problems} not read, {took}"
        )
        rows, problems = rows + done.rows, problems + done.problems
    click.echo(f"{rows} sentences, {problems} not read (column problem)")


@cli.group()
def classifier() -> None:
    """Trained classifiers, for use elsewhere."""


@classifier.command("export")
@click.argument("cell")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def export_classifier_command(cell: str, folder: Path, env: str | None) -> None:
    """Writes the classifier of CELL (newsroom.k8.s13.tkre_plus) to FOLDER for ONNX Runtime."""
    from tkre.training.onnx_classifier import OnnxError, export_onnx

    with KedroSession.create(env=env) as session:
        dataset = session.load_context().catalog.get(f"{cell}.classifier")
        try:
            parse_cell(cell)
            if dataset is None or not dataset.exists():
                raise FileNotFoundError(
                    f"{cell} has no classifier yet: kedro run --to-outputs {cell}.classifier"
                )
            export_onnx(dataset.load(), folder)
        except (*REFUSALS, OnnxError) as error:
            raise Refusal(str(error)) from error
    click.echo(folder)


@cli.group()
def results() -> None:
    """The book of results: what experiments found, for the docs."""


@results.command("write")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs/results")
)
def write_command(experiments: tuple[str, ...], env: str | None, folder: Path) -> None:
    """Writes a page and the tables behind it for every one of EXPERIMENTS that has been run."""
    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        book = configuration.read_book()
        try:
            if unknown := sorted(set(experiments) - set(book.experiments)):
                raise ValueError(f"no experiment {', '.join(unknown)} in experiments.yml")
            cells = {name: list(book.cells(name)) for name in experiments}
            for page in write_results(catalog, cells, folder, env):
                click.echo(page)
            click.echo(training(catalog, {cell for named in cells.values() for cell in named}))
        except REFUSALS as error:
            raise Refusal(str(error)) from error


def _print_plan(context: KedroContext, names: list[str]) -> None:
    if unknown := [name for name in names if name not in pipelines]:
        raise ValueError(f"no pipeline {', '.join(unknown)}; kedro registry list shows them")
    pipeline = sum((pipelines[name] for name in names), Pipeline([]))
    if not pipeline.only_nodes_with_tags(LANGUAGE_MODEL).nodes:
        raise ValueError(f"{', '.join(names)} asks no language model")
    generation_params = configuration.read_book().parameters.generation
    known = rehearse(pipeline.only_nodes_with_tags(REHEARSED), context.catalog)
    models = context.catalog.load(LANGUAGE_MODELS)
    console = Console()
    for planned in plan(pipeline, context.catalog, known, generation_params):
        _print_planned(planned, planned.estimates(models), console)
    console.print(
        f"Answers of no use are asked again up to {generation_params.again.attempts - 1} times, "
        f"and relations that stay short in up to {generation_params.synthesis.extra_rounds} more "
        "rounds: that comes on top.",
        soft_wrap=True,
    )


def _print_planned(planned: Plan, estimates: list[Estimate], console: Console) -> None:
    settings = planned.params
    title = f"{settings.called} by {settings.backend}"
    written = "" if planned.writer == DEFAULT_WRITER else f", writer {planned.writer}"
    console.print(_table(estimates, title + written))
    for e in estimates:
        console.print(f"{e.kind}: length of answers from {e.basis}")
    if isinstance(settings, ReplayParams) and planned.missing:
        console.print("A replay asks nobody: what is not stored would end the run.")
    if isinstance(settings, OpenAIParams) and settings.prices:
        console.print(f"About ${cost(estimates, settings.prices):,.2f}, at the prices given.")


def _table(estimates: list[Estimate], title: str) -> Table:
    table = Table(title=f"first questions to {title}", title_justify="left")
    table.add_column("kind")
    for column in ("requests", "stored", "to ask", "tokens in", "tokens out", "at most"):
        table.add_column(column, justify="right")
    for e in estimates:
        table.add_row(
            e.kind,
            *(f"{n:,}" for n in (e.requests, e.stored, e.asked)),
            f"{'' if e.counted else '~'}{e.prompt_tokens:,}",
            f"~{e.completion_tokens:,}",
            f"{e.limit:,}",
        )
    return table
