"""``kedro corpus doctor``: whether this machine, this corpus and this variant go together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click
from kedro.framework.context import KedroContext

from tkre import configuration
from tkre.book import Book
from tkre.checkup import report
from tkre.checkup.answers import WHAT, of_answers
from tkre.checkup.effort import Effort, Sizes, finetuning_effort, pretraining_effort
from tkre.checkup.findings import Level
from tkre.checkup.machine import machine
from tkre.checkup.report import Diagnosis
from tkre.checkup.rows import Rows
from tkre.cli.corpus.project import checked_corpus, in_project, variant_of
from tkre.cli.corpus.questions import kept_of, planned_for
from tkre.cli.options import ENVIRONMENT
from tkre.corpora.sampling import Shots, sample_shots
from tkre.generation.backends.params import OpenAIParams, ReplayParams
from tkre.generation.backends.pool import LanguageModels
from tkre.generation.estimate import cost
from tkre.grid import Cell, Draw
from tkre.hooks import REFUSALS
from tkre.planning import LANGUAGE_MODELS, Plan
from tkre.variants import Variant


@click.command("doctor")
@click.argument("name")
@click.option(
    "--variant", "-v", default="tkre_plus", show_default=True, help="What you mean to run."
)
@click.option("--shots", "-k", type=click.IntRange(1), default=8, show_default=True, help="K.")
@click.option("--seed", type=click.IntRange(0), default=13, show_default=True, help="Of the draw.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def doctor_command(name: str, variant: str, shots: int, seed: int, env: str | None) -> None:
    """Tries VARIANT on a few rows of the corpus NAME: weights, machine, labels, time, cost.

    Ends with 1 if something would stop a run or spoil it. Asks no language model, writes nothing.
    """

    def examine(context: KedroContext) -> bool:
        cell = Cell(Draw(name, shots, seed), variant)
        well = True
        for diagnosis in _examined(context, cell):
            click.echo(str(diagnosis))
            well &= diagnosis.level != Level.ERROR
        return well

    if not in_project(env, examine):
        raise click.exceptions.Exit(1)
    click.echo(_next(name, variant))


def _next(name: str, variant: str) -> str:
    experiment = configuration.read_book().experiments[name]
    if variant in experiment.variants:
        return f"Next: kedro run --pipelines {name}"
    return (
        f"Next: add {variant} to the variants of {name} in conf/base/experiments_{name}.yml, then "
        f"kedro run --pipelines {name}"
    )


def _examined(context: KedroContext, cell: Cell) -> Iterator[Diagnosis]:
    """What is found, as it is found. Nothing is trained on rows that cannot be read."""
    book = configuration.read_book()
    variant = variant_of(book, cell.variant)
    checked = checked_corpus(context, cell.draw.corpus, cell.draw.shots)
    rows, errors = checked.rows, sum(f.level == Level.ERROR for f in checked.findings)
    if errors or rows is None:
        message = f"{errors} errors; kedro corpus validate {cell.draw.corpus} names them"
        yield Diagnosis("corpus", message, Level.ERROR)
        return
    yield Diagnosis("corpus", f"{sum(map(len, rows.splits.values()))} rows, no error")
    yield from _weights(context, variant)
    yield from _language_model(context, book, cell)  # before what takes minutes
    yield from _trained(context, book, cell, variant, rows)


def _weights(context: KedroContext, variant: Variant) -> Iterator[Diagnosis]:
    name = f"backbones.{variant.backbone}"
    backbone = context.catalog.get(name)
    if backbone is None:
        raise LookupError(f"the catalog has no {name} (docs/extending.md)")
    backbone.check()  # raises what a run would be refused with
    described = backbone._describe()
    digest = "digest as expected" if described["sha256"] else "no digest to check"
    yield Diagnosis("weights", f"{described['name']} from {described['source']}, {digest}")


def _trained(
    context: KedroContext, book: Book, cell: Cell, variant: Variant, rows: Rows
) -> Iterator[Diagnosis]:
    """Everything that takes a short training to be known."""
    from tkre.checkup.trial import a_few, try_finetuning, try_pretraining

    recipe = variant.finetuning
    if recipe is None or not recipe.trained:
        message = f"{cell.variant} has no training of ours that could be tried"
        yield Diagnosis("learning by heart", message, Level.NOTE)
        return
    shots = sample_shots(
        rows.splits["train"], rows.splits["dev"], rows.schema,
        shots=cell.draw.shots, seed=cell.draw.seed, test=rows.splits["test"],
    )  # fmt: skip
    everything = [row for split in rows.splits.values() for row in split]
    few = a_few(shots.support, rows.schema)
    start = context.catalog.load(f"backbones.{variant.backbone}")
    stages = {} if variant.pretraining is None else variant.pretraining.stages
    parameters = sum(p.numel() for p in start.model.parameters())
    yield from report.of_machine(machine(Path("data")), parameters, 1 + len(stages))
    trial = try_finetuning(start, few, everything, rows.schema, recipe)
    yield report.of_lengths(trial, rows, recipe.max_length, cell.variant)
    yield from report.of_trial(trial, rows)
    yield from report.of_inverses(rows.schema, needed=recipe.swap)
    speeds = {}
    if variant.pretraining is not None:
        speeds = try_pretraining(start, few, rows.schema, variant.pretraining)
    sizes = _sizes(shots, rows, cell.draw)
    efforts: list[Effort] = []
    if variant.pretraining is not None:
        known = _pretrained_on(book, variant, sizes, cell)
        efforts += pretraining_effort(variant.pretraining, known, speeds)
    efforts += finetuning_effort(recipe, sizes, _step(trial.seconds, trial.steps), trial.labelling)
    yield from report.of_effort(efforts)


def _step(seconds: float, steps: int) -> float:
    return seconds / max(1, steps)


def _sizes(shots: Shots, rows: Rows, draw: Draw) -> Sizes:
    exchangeable = [r for r in shots.support if rows.schema.inverse_of(str(r.relation))]
    return Sizes(
        relations=len(rows.schema.names),
        support=len(shots.support),
        validation=len(shots.validation),
        synthetic=draw.shots * draw.synthetic * len(rows.schema.names),
        test=len(rows.splits["test"]),
        swapped=len(exchangeable),
    )


def _pretrained_on(book: Book, variant: Variant, sizes: Sizes, cell: Cell) -> Sizes:
    """The sizes with the sentences that the encoder learns from, which may be more."""
    source = variant.pretrained_on
    draw = source.draw(cell.draw)
    rounds = source.zero_shot * book.parameters.generation.synthesis.per_request
    synthetic = (draw.shots * draw.synthetic + rounds) * sizes.relations
    return replace(sizes, synthetic=synthetic)


def _language_model(context: KedroContext, book: Book, cell: Cell) -> Iterator[Diagnosis]:
    plans = planned_for(context, book, cell)
    if not plans:
        yield Diagnosis(WHAT, f"{cell.variant} asks none")
    for planned in plans:
        yield _answers(context, book, planned, cell)


def _answers(context: KedroContext, book: Book, planned: Plan, cell: Cell) -> Diagnosis:
    corpus_name = cell.draw.corpus
    missing, asked = len(planned.missing), len(planned.requests)
    told = f"{planned.params.called} by {planned.params.backend}: {asked} questions"
    if isinstance(planned.params, ReplayParams):
        if not missing:
            return of_answers(
                f"{told}, all answered in the recordings", kept_of(context, book, cell)
            )
        message = (
            f"{told}, {missing} without a recorded answer, and a replay asks nobody. Choose a "
            "live model (docs/language_models.md), or have the questions answered elsewhere: "
            f"kedro corpus questions {corpus_name} questions.jsonl; or take a variant that needs "
            "none: --variant spans_golden"
        )
        return Diagnosis(WHAT, message, Level.ERROR)
    models = context.catalog.load(LANGUAGE_MODELS)
    try:
        models.live(planned.params).check()
    except REFUSALS as error:
        return Diagnosis(WHAT, f"{told}. {error}", Level.ERROR)
    return Diagnosis(WHAT, f"{told}, {missing} to be asked{_price(planned, models)}")


def _price(planned: Plan, models: LanguageModels) -> str:
    """Tokens, and dollars where prices are given."""
    estimates = planned.estimates(models)
    tokens_in = sum(e.prompt_tokens for e in estimates)
    tokens_out = sum(e.completion_tokens for e in estimates)
    told = f", about {tokens_in:,} tokens in and {tokens_out:,} out"
    if isinstance(planned.params, OpenAIParams) and planned.params.prices:
        told += f", about ${cost(estimates, planned.params.prices):,.2f}"
    return told
