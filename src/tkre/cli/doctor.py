"""What a doctor says: a line for each thing that was looked at, good or bad.

What answers of a language model are worth, before anything is trained on them.

``kedro corpus doctor``: whether this machine, this corpus and this variant go together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import pandas as pd
from kedro.framework.context import KedroContext

from tkre.cli.questions import kept_of, planned_for
from tkre.cli.session import ENVIRONMENT, checked_corpus, in_project, variant_of
from tkre.core.cells import Cell, KShotSample
from tkre.core.schema import RelationSchema
from tkre.corpora.sampling import Shots, sample_shots
from tkre.corpora.schema_validation import Level, names
from tkre.corpora.validation import Rows
from tkre.generation.llm.cost import cost
from tkre.generation.llm.params import OpenAIParams, ReplayParams
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.rejections import EXPLANATION, SYNTHESIS
from tkre.pipelines.namespaces import LANGUAGE_MODELS
from tkre.project import config_loader as configuration
from tkre.project.config import ExperimentConfig
from tkre.project.hooks import REFUSALS
from tkre.project.preflight import Plan
from tkre.training.recipes import Variant
from tkre.training.trial import (
    GIB,
    Effort,
    Machine,
    Sizes,
    Trial,
    finetuning_effort,
    machine,
    pretraining_effort,
    stored_bytes,
    training_bytes,
)

_HEADROOM = 1.5 * GIB  # interpreter, libraries and activations of a small encoder
_MANY_TRUNCATED = 0.05  # share of the rows


@dataclass(frozen=True)
class Diagnosis:
    """One thing that was looked at.

    Attributes:
        what: Its name.
        message: How it is; where it is not good, with the way out.
        level: None if all is well.
    """

    what: str
    message: str
    level: Level | None = None

    def __str__(self) -> str:
        return f"{self.level or 'ok':<7}  {self.what}: {self.message}"


def of_machine(machine: Machine, parameters: int, checkpoints: int) -> Iterator[Diagnosis]:
    """Device and precision, memory and disk against what a run needs.

    Args:
        machine: The machine.
        parameters: Of the backbone.
        checkpoints: That a run writes.
    """
    precision = "bf16" if machine.bf16 else "fp32 (no bf16: it takes about half as long again)"
    threads = f"{machine.threads} threads on {machine.cores} cores"
    yield Diagnosis("device", f"{machine.device}, {precision}, {threads}")
    memory = training_bytes(parameters) + _HEADROOM
    disk = stored_bytes(parameters, checkpoints)
    for what, need, free, way_out in (
        ("memory", memory, machine.memory_free, "close other programs, or take a smaller backbone"),
        ("disk", disk, machine.disk_free, "delete old versions under data/06_models"),
    ):
        told = f"about {need / GIB:.1f} GiB needed, {free / GIB:.1f} GiB free"
        short = need > free
        yield Diagnosis(what, f"{told}: {way_out}" if short else told,
                        Level.ERROR if short else None)  # fmt: skip


def of_lengths(trial: Trial, rows: Rows, max_length: int, variant: str) -> Diagnosis:
    """How many rows are too long to be read whole."""
    total = sum(len(split) for split in rows.splits.values())
    longest = f"the longest of {total} rows has {trial.longest} tokens, max_length is {max_length}"
    if not trial.truncated:
        return Diagnosis("lengths", longest)
    share = len(trial.truncated) / total
    message = (
        f"{len(trial.truncated)} of {total} rows ({share:.0%}) are longer than {max_length} tokens "
        f"and are read in part, the first in {rows.places[trial.truncated[0]]}; "
        f"variants.{variant}.finetuning.max_length raises it"
    )
    return Diagnosis("lengths", message, Level.WARNING if share > _MANY_TRUNCATED else Level.NOTE)


def of_trial(trial: Trial, rows: Rows, shown: int = 5) -> Iterator[Diagnosis]:
    """Whether the rows could be learnt by heart; those that could not."""
    learnt = trial.rows - len(trial.unlearnt)
    told = f"{learnt} of {trial.rows} rows learnt in {trial.steps} steps and {trial.seconds:.0f} s"
    if not trial.unlearnt:
        yield Diagnosis("learning by heart", told)
        return
    yield Diagnosis(
        "learning by heart",
        f"{told}. A classifier can learn so few rows by heart, unless labels, tags or types "
        "contradict one another; look at these:",
        Level.ERROR if learnt < 0.9 * trial.rows else Level.WARNING,
    )
    for row, label in trial.unlearnt[:shown]:
        yield Diagnosis(rows.at(row), f"labelled {row.relation}, learnt as {label}", Level.WARNING)


def of_inverses(schema: RelationSchema, *, needed: bool) -> Iterator[Diagnosis]:
    """Relations without a known inverse, for a variant that reads sentences both ways."""
    without = [name for name in schema.names if schema.inverse_of(name) is None]
    if needed and without:
        message = (
            f"{names(without)} have no inverse in relations.yml, so their sentences are shown "
            "one way only; symmetric ones would gain by naming themselves"
        )
        yield Diagnosis("inverses", message, Level.NOTE)


def of_effort(efforts: Sequence[Effort]) -> Iterator[Diagnosis]:
    """How long a cell takes here."""
    for effort in efforts:
        steps = f"{effort.steps:,} steps, " if effort.steps else ""
        yield Diagnosis("time", f"{effort.part}: {steps}about {in_words(effort.seconds)}")
    total = sum(effort.seconds for effort in efforts)
    yield Diagnosis("time", f"about {in_words(total)} in all for one seed, language model aside")


def in_words(seconds: float) -> str:
    """A duration as one says it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


WHAT = "language model"
_CALLED = {EXPLANATION: "explanations", SYNTHESIS: "sentences"}


def of_answers(told: str, kept: pd.DataFrame) -> Diagnosis:
    """How many of the answers can be used, and why the others cannot.

    Args:
        told: Who answered how much.
        kept: The yield by kind and relation (``generation.ledger.yield_frame``).
    """
    lacking = kept[kept["short"] > 0]
    if lacking.empty:
        return Diagnosis(WHAT, told)
    parts = []
    for kind, rows in kept.groupby("kind", sort=False):
        short = rows[rows["short"] > 0]
        part = f"{rows['kept'].sum()} of {rows['wanted'].sum()} {_CALLED[str(kind)]} can be used"
        if len(short):
            part += f", too few of {names(short['relation'].tolist())}"
        refused = _reasons(rows["reasons"])
        parts.append(part + (f" (refused: {refused})" if refused else ""))
    way_out = (
        "a run goes on with what is left. To correct an answer, append a line with the same "
        "request_id to recordings.jsonl: the last one counts"
    )
    return Diagnosis(WHAT, f"{told}, but {'; '.join(parts)}; {way_out}", Level.WARNING)


def _reasons(told: pd.Series) -> str:
    """Reasons with their numbers, over relations that each tell theirs as "reason 2, other 1"."""
    total: Counter[str] = Counter()
    for reason in ", ".join(filter(None, told)).split(", "):
        name, _, number = reason.rpartition(" ")
        total[name] += int(number or 0)
    return ", ".join(f"{name} {number}" for name, number in total.most_common() if name)


@click.command("doctor")
@click.argument("name")
@click.option(
    "--variant", "-v", default="tkre_plus", show_default=True, help="What you mean to run."
)
@click.option("--shots", "-k", type=click.IntRange(1), default=8, show_default=True, help="K.")
@click.option(
    "--seed", type=click.IntRange(0), default=13, show_default=True, help="Of the sample."
)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def doctor_command(name: str, variant: str, shots: int, seed: int, env: str | None) -> None:
    """Tries VARIANT on a few rows of the corpus NAME: weights, machine, labels, time, cost.

    Ends with 1 if something would stop a run or spoil it. Asks no language model, writes nothing.
    """

    def examine(context: KedroContext) -> bool:
        cell = Cell(KShotSample(name, shots, seed), variant)
        well = True
        for diagnosis in _examined(context, cell):
            click.echo(str(diagnosis))
            well &= diagnosis.level != Level.ERROR
        return well

    if not in_project(env, examine):
        raise click.exceptions.Exit(1)
    click.echo(_next(name, variant))


def _next(name: str, variant: str) -> str:
    experiment = configuration.read_config().experiments[name]
    if variant in experiment.variants:
        return f"Next: kedro run --pipelines {name}"
    return (
        f"Next: add {variant} to the variants of {name} in conf/base/experiments_{name}.yml, then "
        f"kedro run --pipelines {name}"
    )


def _examined(context: KedroContext, cell: Cell) -> Iterator[Diagnosis]:
    """What is found, as it is found. Nothing is trained on rows that cannot be read."""
    config = configuration.read_config()
    variant = variant_of(config, cell.variant)
    checked = checked_corpus(context, cell.sample.corpus, cell.sample.shots)
    rows, errors = checked.rows, sum(f.level == Level.ERROR for f in checked.findings)
    if errors or rows is None:
        message = f"{errors} errors; kedro corpus validate {cell.sample.corpus} names them"
        yield Diagnosis("corpus", message, Level.ERROR)
        return
    yield Diagnosis("corpus", f"{sum(map(len, rows.splits.values()))} rows, no error")
    yield from _weights(context, variant)
    yield from _language_model(context, config, cell)  # before what takes minutes
    yield from _trained(context, config, cell, variant, rows)


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
    context: KedroContext, config: ExperimentConfig, cell: Cell, variant: Variant, rows: Rows
) -> Iterator[Diagnosis]:
    """Everything that takes a short training to be known."""
    from tkre.training.trial import a_few, try_finetuning, try_pretraining

    recipe = variant.finetuning
    if recipe is None or not recipe.trained:
        message = f"{cell.variant} has no training of ours that could be tried"
        yield Diagnosis("learning by heart", message, Level.NOTE)
        return
    shots = sample_shots(
        rows.splits["train"], rows.splits["dev"], rows.schema,
        shots=cell.sample.shots, seed=cell.sample.seed, test=rows.splits["test"],
    )  # fmt: skip
    everything = [row for split in rows.splits.values() for row in split]
    few = a_few(shots.support, rows.schema)
    start = context.catalog.load(f"backbones.{variant.backbone}")
    stages = {} if variant.pretraining is None else variant.pretraining.stages
    parameters = sum(p.numel() for p in start.model.parameters())
    yield from of_machine(machine(Path("data")), parameters, 1 + len(stages))
    trial = try_finetuning(start, few, everything, rows.schema, recipe)
    yield of_lengths(trial, rows, recipe.max_length, cell.variant)
    yield from of_trial(trial, rows)
    yield from of_inverses(rows.schema, needed=recipe.swap)
    speeds = {}
    if variant.pretraining is not None:
        speeds = try_pretraining(start, few, rows.schema, variant.pretraining)
    sizes = _sizes(shots, rows, cell.sample)
    efforts: list[Effort] = []
    if variant.pretraining is not None:
        known = _pretrained_on(config, variant, sizes, cell)
        efforts += pretraining_effort(variant.pretraining, known, speeds)
    efforts += finetuning_effort(recipe, sizes, _step(trial.seconds, trial.steps), trial.labelling)
    yield from of_effort(efforts)


def _step(seconds: float, steps: int) -> float:
    return seconds / max(1, steps)


def _sizes(shots: Shots, rows: Rows, sample: KShotSample) -> Sizes:
    exchangeable = [r for r in shots.support if rows.schema.inverse_of(str(r.relation))]
    return Sizes(
        relations=len(rows.schema.names),
        support=len(shots.support),
        validation=len(shots.validation),
        synthetic=sample.shots * sample.synthetic * len(rows.schema.names),
        test=len(rows.splits["test"]),
        swapped=len(exchangeable),
    )


def _pretrained_on(config: ExperimentConfig, variant: Variant, sizes: Sizes, cell: Cell) -> Sizes:
    """The sizes with the sentences that the encoder learns from, which may be more."""
    source = variant.pretrained_on
    sample = source.sample(cell.sample)
    rounds = source.zero_shot * config.parameters.generation.synthesis.per_request
    synthetic = (sample.shots * sample.synthetic + rounds) * sizes.relations
    return replace(sizes, synthetic=synthetic)


def _language_model(
    context: KedroContext, config: ExperimentConfig, cell: Cell
) -> Iterator[Diagnosis]:
    plans = planned_for(context, config, cell)
    if not plans:
        yield Diagnosis(WHAT, f"{cell.variant} asks none")
    for planned in plans:
        yield _answers(context, config, planned, cell)


def _answers(
    context: KedroContext, config: ExperimentConfig, planned: Plan, cell: Cell
) -> Diagnosis:
    corpus_name = cell.sample.corpus
    missing, asked = len(planned.missing), len(planned.requests)
    told = f"{planned.params.called} by {planned.params.backend}: {asked} questions"
    if isinstance(planned.params, ReplayParams):
        if not missing:
            return of_answers(
                f"{told}, all answered in the recordings", kept_of(context, config, cell)
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
