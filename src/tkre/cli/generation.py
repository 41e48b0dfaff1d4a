"""``kedro generation``: what language models would be asked, and what they have answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from kedro.framework.cli.utils import _split_params
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.table import Table

from tkre.cli.session import ENVIRONMENT, PARAMETERS, SOURCE
from tkre.core.params import DEFAULT_LLM
from tkre.generation.llm.cost import Estimate, cost
from tkre.generation.llm.params import OpenAIParams, ReplayParams
from tkre.generation.llm.store import ResponseStore, export_responses
from tkre.pipelines.namespaces import LANGUAGE_MODEL, LANGUAGE_MODELS, PREFLIGHT
from tkre.project import config_loader as configuration
from tkre.project.hooks import REFUSALS, Refusal
from tkre.project.preflight import Plan, plan, run_in_memory


@click.group()
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


def _print_plan(context: KedroContext, names: list[str]) -> None:
    if unknown := [name for name in names if name not in pipelines]:
        raise ValueError(f"no pipeline {', '.join(unknown)}; kedro registry list shows them")
    pipeline = sum((pipelines[name] for name in names), Pipeline([]))
    if not pipeline.only_nodes_with_tags(LANGUAGE_MODEL).nodes:
        raise ValueError(f"{', '.join(names)} asks no language model")
    generation_params = configuration.read_config().parameters.generation
    known = run_in_memory(pipeline.only_nodes_with_tags(PREFLIGHT), context.catalog)
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
    written = "" if planned.llm == DEFAULT_LLM else f", llm {planned.llm}"
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
