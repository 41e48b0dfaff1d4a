"""``kedro generation``: requests to language models, their cost, stored responses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pandas as pd
from kedro.framework.project import pipelines
from kedro.pipeline import Pipeline
from rich.console import Console
from rich.table import Table

from tkre.cli.frame import FramedGroup
from tkre.cli.overrides import with_text
from tkre.cli.session import (
    PARAMETERS,
    SOURCE,
    Project,
    env_option,
    require_corpus,
    session,
    variant_of,
)
from tkre.core.cells import Cell, KShotSample
from tkre.core.errors import listed
from tkre.core.params import DEFAULT_LLM
from tkre.core.terminal import run_command, say, say_next
from tkre.generation.llm.cost import Estimate, cost
from tkre.generation.llm.params import LanguageModelParams, ReplayParams
from tkre.generation.llm.store import ResponseStore, export_responses
from tkre.generation.recorded import RecordedAnswers
from tkre.generation.rejections import CLASSIFICATION
from tkre.pipelines import data_generation
from tkre.pipelines.namespaces import IN_ROUNDS, LANGUAGE_MODEL, LANGUAGE_MODELS, PREFLIGHT
from tkre.project.config import ExperimentConfig
from tkre.project.preflight import (
    IN_ROUNDS_NOTE,
    Plan,
    plan,
    replayed_corpora,
    run_in_memory,
)
from tkre.project.selection import misspelt

_LISTED = 10  # stale answers and orphans of a plan; the rest is a number


@click.group(cls=FramedGroup)
def generation() -> None:
    """Requests to language models, their cost, and stored responses."""


@generation.command("plan")
@click.option("--pipelines", "-p", "names", default="data_generation", help="As in kedro run.")
@env_option
@click.option("--conf-source", type=click.Path(exists=True), default=None, help=SOURCE)
@click.option("--params", default="", callback=with_text, help=PARAMETERS)
def plan_command(
    names: str, env: str | None, conf_source: str | None, params: tuple[str, dict[str, Any]]
) -> None:
    """Print the requests of a run and their cost.

    Asks nothing, writes nothing.
    """
    text, given = params
    with session(env, params=given, conf_source=conf_source) as project:
        _print_plan(project, names.split(","))
    say_next(run_command(names, env, text, conf_source))


@generation.command("export")
@click.argument("corpus")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@env_option
@click.option("--model", default=None, help="Only responses of this model.")
def export_command(corpus: str, target: Path, env: str | None, model: str | None) -> None:
    """Add the stored responses for CORPUS to TARGET.

    TARGET is a store that can be replayed elsewhere.
    """
    with session(env) as project:
        require_corpus(project.config, corpus)
        store: ResponseStore = project.catalog.load(f"{corpus}.responses")
        if not len(store):
            raise LookupError(f"no language model has answered anything for {corpus}: {store.path}")
        origin = export_responses(store, target, model)
        if not origin:
            held = ", ".join(sorted({str(response.model) for response in store.all()}))
            raise LookupError(f"{store.path} holds nothing of {model!r}; its models: {held}")
        for line in origin:
            say(line)
    say_next(f"kedro corpus validate {corpus}")


def cell_plans(project: Project, cell: Cell) -> list[Plan]:
    """Requests of a cell by language model; empty if its variant uses none.

    Raises:
        LookupError: There is no such corpus or variant.
    """
    catalog, config = project.catalog, project.config
    require_corpus(config, cell.sample.corpus)
    variant = variant_of(config, cell.variant)
    if not variant.uses_knowledge and variant.in_context is None:
        return []
    cell = Cell(variant.read_of(cell.sample), cell.variant)
    config.require_unlabelled([cell.sample])
    pipeline = _generation(config, _samples(config, cell), cell)
    known = run_in_memory(pipeline.only_nodes_with_tags(PREFLIGHT), catalog)
    asking = pipeline.only_nodes_with_tags(LANGUAGE_MODEL)
    return plan(asking, catalog, known, config.parameters.generation)


def cell_yield(project: Project, cell: Cell) -> pd.DataFrame:
    """Yield by relation of a cell whose answers are all stored. Writes nothing."""
    samples = _samples(project.config, cell)
    known = run_in_memory(_generation(project.config, samples, cell), project.catalog)
    yields = [known[name] for name in known if name.endswith((".yield", ".annotation_yield"))]
    return pd.concat(yields, ignore_index=True)


def _samples(config: ExperimentConfig, cell: Cell) -> list[KShotSample]:
    """Samples whose knowledge a cell learns from."""
    chain = config.encoder(cell)
    return list(dict.fromkeys([cell.sample, *(chain.samples if chain else [])]))


def _generation(config: ExperimentConfig, samples: list[KShotSample], cell: Cell) -> Pipeline:
    backbone = config.parameters.generation.filtering.backbone
    if config.parameters.variants[cell.variant].in_context is not None:
        return data_generation.create_pipeline(samples, [], backbone, [cell])
    return data_generation.create_pipeline(samples, samples, backbone)


def _print_plan(project: Project, names: list[str]) -> None:
    catalog = project.catalog  # its session makes the pipelines
    if words := misspelt({"pipelines": names}):
        raise ValueError(words)
    pipeline = sum((pipelines[name] for name in names), Pipeline([]))
    if not pipeline.only_nodes_with_tags(LANGUAGE_MODEL).nodes:
        raise ValueError(
            f"{', '.join(names)} asks no language model: an experiment with a variant such as "
            "tkre_plus does (conf/base/experiments_<name>.yml)"
        )
    params = project.config.parameters.generation
    known = run_in_memory(pipeline.only_nodes_with_tags(PREFLIGHT), catalog)
    models = catalog.load(LANGUAGE_MODELS)
    console = Console()
    for planned in plan(pipeline, catalog, known, params):
        _print_llm(planned, planned.estimates(models), console)
    say(
        f"Not included: up to {params.retry.attempts - 1} retries for each unusable answer, and "
        f"{params.synthesis.extra_rounds} more rounds for relations that are short of sentences."
    )
    for corpus in replayed_corpora(pipeline, catalog, params):
        _print_recorded(corpus, project.recorded(corpus))
    if pipeline.only_nodes_with_tags(IN_ROUNDS).nodes:
        say(IN_ROUNDS_NOTE)


def _print_recorded(corpus: str, recorded: RecordedAnswers) -> None:
    problems = [f"{place}: {message}" for place, message, _ in recorded.problems()]
    lines = [f"Recorded answers of {corpus}: {recorded.words()}."]
    lines += listed([f"  {problem}" for problem in problems], _LISTED)
    if len(problems) > _LISTED:
        lines.append(f"All: kedro corpus validate {corpus}")
    say("\n".join(lines))


def _print_llm(planned: Plan, estimates: list[Estimate], console: Console) -> None:
    settings = planned.params
    title = f"first questions to {settings.called} by {settings.backend}"
    table = Table(
        title=title if planned.llm == DEFAULT_LLM else f"{title}, llm {planned.llm}",
        title_justify="left",
    )
    table.add_column("kind")
    for column in ("requests", "stored", "to ask", "tokens in", "tokens out", "at most"):
        table.add_column(column, justify="right")
    for e in estimates:
        counts = (f"{n:,}" for n in (e.requests, e.stored, e.asked))
        tokens_in = f"{'' if e.counted else '~'}{e.prompt_tokens:,}"
        table.add_row(e.kind, *counts, tokens_in, f"~{e.completion_tokens:,}", f"{e.limit:,}")
    console.print(table)
    for e in estimates:
        if e.asked:
            say(f"{e.kind}: length of answers from {e.basis}")
    if isinstance(settings, ReplayParams) and planned.missing:
        # Of the rows to classify a replay takes those that are recorded, if there are any.
        fewer = all(e.kind == CLASSIFICATION and e.stored for e in estimates if e.asked)
        ends = (
            "fewer rows are classified" if fewer
            else "a missing response ends the run. Select a model (docs/language_models.md), or "
            "have questions answered: kedro corpus questions"
        )  # fmt: skip
        say(f"A replay asks no model: {ends}.")
    if dollars := price(settings, estimates):
        say(f"About {dollars}, at the prices given.")


def price(params: LanguageModelParams, estimates: list[Estimate]) -> str | None:
    """Dollars of the estimated tokens; None without configured prices."""
    if not params.prices or isinstance(params, ReplayParams):
        return None
    return f"${cost(estimates, params.prices):,.2f}"
