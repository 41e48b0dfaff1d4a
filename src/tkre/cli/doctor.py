"""``kedro corpus doctor``: check whether machine, corpus and variant go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pandas as pd
from click.core import ParameterSource

from tkre.cli.corpus import checked_corpus
from tkre.cli.generation import cell_plans, cell_yield, price
from tkre.cli.session import Project, env_option, sample_options, session, variant_of
from tkre.core.cells import Cell, KShotSample
from tkre.core.errors import enumerated
from tkre.core.schema import RelationSchema
from tkre.core.terminal import say, say_next
from tkre.core.text import count_words
from tkre.corpora.reading import Corpus
from tkre.corpora.sampling import sample_shots
from tkre.corpora.schema_validation import LABEL, Level
from tkre.generation.llm.params import ReplayParams
from tkre.generation.recorded import RecordedAnswers
from tkre.generation.rejections import ANNOTATION, EXPLANATION, SYNTHESIS
from tkre.pipelines.namespaces import LANGUAGE_MODELS
from tkre.project.hooks import REFUSALS
from tkre.project.preflight import Plan, refuse_lengths
from tkre.report.formatting import duration
from tkre.training.recipes import Variant

if TYPE_CHECKING:  # they import torch
    from tkre.training.trial import Effort, Machine, Trial

_GIB = 2**30
_HEADROOM = 1.5 * _GIB  # interpreter, libraries and activations of a small encoder
_MANY_TRUNCATED = 0.05  # share of the rows
_MANY_UNKNOWN, _MANY_PIECES = 0.02, 3.0  # share of the pieces; pieces of a word
_LISTED_ROWS = 5
_LLM = "language model"
_KINDS = {EXPLANATION: "explanations", SYNTHESIS: "sentences", ANNOTATION: "annotations"}


class Report:
    """Prints a line for each check; ``failed`` if one of them is an error."""

    failed = False

    def __call__(self, checked: str, message: str, level: Level | None = None) -> None:
        """Print a result; the message of one that is not good (``level``) has the way out."""
        say(f"{level or 'ok':<7}  {checked}: {message}", indent=LABEL)
        self.failed |= level == Level.ERROR


@click.command("doctor")
@click.argument("name")
@sample_options
@env_option
def doctor_command(
    name: str, variant: str, shots: int, seed: int, annotated: int, env: str | None
) -> None:
    """Check weights, machine, labels, time and cost.

    Trains VARIANT on a few rows of the corpus NAME; where none is named and the experiment of the
    corpus has no tkre_plus, its last variant. Ends with 1 if something would stop or spoil a run.
    Asks no language model, writes nothing.
    """
    report = Report()
    given = click.get_current_context().get_parameter_source("variant")
    with session(env) as project:
        planned = project.config.experiments.get(name)
        if planned and given == ParameterSource.DEFAULT and variant not in planned.variants:
            variant = planned.variants[-1]
        sample = KShotSample(name, shots, seed, annotated=annotated)
        _examine(project, Cell(sample, variant), report)
    if report.failed:
        raise click.exceptions.Exit(1)
    command = f"kedro run --pipelines {name}"
    if variant not in project.config.experiments[name].variants:
        file = f"conf/base/experiments_{name}.yml"
        command = f"add {variant} to the variants of {name} in {file}, then {command}"
    say_next(command)


def _examine(project: Project, cell: Cell, report: Report) -> None:
    """Run the checks, the quick ones first; stop at a corpus with errors."""
    config = project.config
    variant = variant_of(config, cell.variant)
    checked = checked_corpus(project, cell.sample.corpus, cell.sample.shots)
    if not checked.usable or checked.corpus is None:
        errors = sum(finding.level == Level.ERROR for finding in checked.findings)
        way_out = f"kedro corpus validate {cell.sample.corpus} names them"
        report("corpus", f"{errors} errors; {way_out}", Level.ERROR)
        return
    report("corpus", f"{len(checked.corpus.rows):,} rows, no error")
    if variant.backbone:
        _report_weights(project, variant, cell.variant, report)
    plans = cell_plans(project, cell)
    if any(isinstance(planned.params, ReplayParams) for planned in plans):
        report_recorded(project.recorded(cell.sample.corpus), report)
    if not plans:
        report(_LLM, f"{cell.variant} asks none")
    for planned in plans:
        _report_llm(project, planned, cell, report)
    votes = project.config.parameters.generation.annotations.votes
    annotated = sum(r.id.startswith(f"{ANNOTATION}/") for p in plans for r in p.requests) // votes
    _try_training(project, cell, variant, checked.corpus, annotated, report)


def _report_weights(project: Project, variant: Variant, name: str, report: Report) -> None:
    backbone = project.catalog.get(f"backbones.{variant.backbone}")
    if backbone is None:
        raise LookupError(f"the catalog has no backbones.{variant.backbone} (docs/extending.md)")
    backbone.check()  # raises what a run would be refused with
    facts = backbone._describe()
    digest = "digest as expected" if facts["sha256"] else "no digest to check"
    report("weights", f"{facts['name']} from {facts['source']}, {digest}")
    refuse_lengths(variant, f"variants.{name}", project.catalog)


def report_recorded(recorded: RecordedAnswers, report: Report) -> None:
    """Recorded answers, with those that are stale or orphans."""
    problems = list(recorded.problems())
    for place, message, _ in problems[:_LISTED_ROWS]:
        report(place, message, Level.WARNING)
    if len(problems) > _LISTED_ROWS:
        words = f"{recorded.words()}; kedro corpus validate lists all"
        report("recorded answers", words, Level.WARNING)
    else:
        report("recorded answers", recorded.words(), Level.WARNING if problems else None)


def _report_llm(project: Project, planned: Plan, cell: Cell, report: Report) -> None:
    missing = len(planned.missing)
    questions = (
        f"{planned.params.called} by {planned.params.backend}: {len(planned.requests)} questions"
    )
    if not isinstance(planned.params, ReplayParams):
        models = project.catalog.load(LANGUAGE_MODELS)
        try:
            models.live(planned.params).check()
        except REFUSALS as error:
            report(_LLM, f"{questions}. {error}", Level.ERROR)
            return
        estimates = planned.estimates(models)
        tokens_in = sum(e.prompt_tokens for e in estimates)
        tokens_out = sum(e.completion_tokens for e in estimates)
        dollars = price(planned.params, estimates)
        report(
            _LLM,
            f"{questions}, {missing} to be asked, about {tokens_in:,} tokens in and "
            f"{tokens_out:,} out" + (f", about {dollars}" if dollars else ""),
        )
    elif missing:
        sample = cell.sample
        options = f"-v {cell.variant} -k {sample.shots} --seed {sample.seed}"
        message = (
            f"{questions}, {missing} without a recorded answer, and a replay asks nobody. Choose a "
            "live model (docs/language_models.md), or have the questions answered elsewhere: "
            f"kedro corpus questions {sample.corpus} questions.jsonl {options} --annotated "
            f"{sample.annotated}; or take a variant that needs none: --variant spans_golden"
        )
        report(_LLM, message, Level.ERROR)
    else:
        answered = f"{questions}, all answered in the recordings"
        if project.config.parameters.variants[cell.variant].in_context is not None:
            report(_LLM, answered)
        else:
            report_yield(answered, cell_yield(project, cell), report)


def report_yield(answered: str, kept: pd.DataFrame, report: Report) -> None:
    """Usable answers, by a frame of ``generation.rejections.yield_frame``, and why not all are."""
    if not (kept["short"] > 0).any():
        report(_LLM, answered)
        return
    parts = []
    for kind, rows in kept.groupby("kind", sort=False):
        part = f"{rows['kept'].sum():,} of {rows['wanted'].sum():,} {_KINDS[str(kind)]} can be used"
        if short := rows["relation"][rows["short"] > 0].tolist():
            part += f", too few of {enumerated(short)}"
        reasons: Counter[str] = Counter()
        for reason in ", ".join(filter(None, rows["reasons"])).split(", "):  # "empty 2, too_long 1"
            name, _, number = reason.rpartition(" ")
            reasons[name] += int(number or 0)
        refused = ", ".join(f"{name} {n}" for name, n in reasons.most_common() if name)
        parts.append(part + (f" (refused: {refused})" if refused else ""))
    way_out = (
        "a run goes on with what is left. To correct an answer, append a line with the same "
        "request_id to recordings.jsonl: the last one counts"
    )
    report(_LLM, f"{answered}, but {'; '.join(parts)}; {way_out}", Level.WARNING)


def _try_training(
    project: Project,
    cell: Cell,
    variant: Variant,
    corpus: Corpus,
    annotated: int,
    report: Report,
) -> None:
    """Checks that need a short training."""
    from tkre.training import trial as trials

    recipe = variant.finetuning
    if recipe is None or not recipe.trained:
        message = f"{cell.variant} is not trained by this project: nothing to try"
        report("learning by heart", message, Level.NOTE)
        return
    shots = sample_shots(
        corpus.splits["train"], corpus.splits["dev"], corpus.schema,
        shots=cell.sample.shots, seed=cell.sample.seed, test=corpus.splits["test"],
    )  # fmt: skip
    few = trials.few_rows(shots.support, corpus.schema)
    start = project.catalog.load(f"backbones.{variant.backbone}")
    report_pieces(start.tokenizer, [row.text for row in corpus.rows], report)
    pretraining = variant.pretraining
    parameters = sum(p.numel() for p in start.model.parameters())
    checkpoints = 1 + (len(pretraining.stages) if pretraining else 0)
    report_machine(trials.machine(Path("data")), parameters, checkpoints, report)
    head_first = project.config.parameters.corpora[cell.sample.corpus].head_first
    trial = trials.try_finetuning(
        start, few, corpus.rows, corpus.schema, recipe, head_first=head_first
    )
    most = project.catalog.get(f"backbones.{variant.backbone}").longest()
    report_lengths(trial, corpus, recipe.max_length, cell.variant, report, most)
    report_trial(trial, corpus, report)
    if recipe.add_inverted:
        report_inverses(corpus.schema, report)
    relations, sample = len(corpus.schema.names), cell.sample
    sizes = trials.Sizes(
        relations=relations,
        support=len(shots.support),
        validation=len(shots.validation),
        synthetic=sample.shots * sample.synthetic * relations,
        test=len(corpus.splits["test"]),
        inverted=sum(corpus.schema.inverse_of(str(r.relation)) is not None for r in shots.support),
        annotated=annotated,
    )
    efforts: list[Effort] = []
    if pretraining is not None:
        speeds = trials.try_pretraining(start, few, corpus.schema, pretraining)
        source = variant.pretrained_on
        sample = source.sample(cell.sample)
        per_request = project.config.parameters.generation.synthesis.per_request
        sentences = sample.shots * sample.synthetic + source.zero_shot * per_request
        known = replace(sizes, synthetic=sentences * sizes.relations)
        efforts += trials.pretraining_effort(pretraining, known, speeds)
    efforts += trials.finetuning_effort(recipe, sizes, trial)
    report_effort(efforts, report)


def report_machine(machine: Machine, parameters: int, checkpoints: int, report: Report) -> None:
    """Device and precision; memory and disk against the needs of a run.

    Args:
        machine: Resources of this machine.
        parameters: Number of parameters of the backbone.
        checkpoints: Number of checkpoints that a run writes.
        report: Prints the results.
    """
    precision = "bf16" if machine.bf16 else "fp32 (no bf16: it takes about half as long again)"
    threads = f"{machine.threads} threads on {machine.cores} cores"
    report("device", f"{machine.device}, {precision}, {threads}")
    # fp32: weights, gradients, AdamW's two moments, initial weights, weights of the best epoch.
    memory = 6 * 4 * parameters + _HEADROOM
    disk = 4 * parameters * checkpoints
    for what, need, free, way_out in (
        ("memory", memory, machine.memory_free, "close other programs, or take a smaller backbone"),
        ("disk", disk, machine.disk_free, "delete old versions under data/06_models"),
    ):
        message = f"about {need / _GIB:.1f} GiB needed, {free / _GIB:.1f} GiB free"
        report(*(what, f"{message}: {way_out}", Level.ERROR) if need > free else (what, message))


def report_pieces(tokenizer: Any, texts: Sequence[str], report: Report) -> None:
    """Pieces of the text in the vocabulary of a backbone: unknown ones, and those of a word."""
    pieces = [n for text in set(texts) for n in tokenizer(text, add_special_tokens=False).input_ids]
    unknown = sum(piece == tokenizer.unk_token_id for piece in pieces)
    of_word = len(pieces) / max(1, sum(count_words(text) for text in set(texts)))
    share = unknown / max(1, len(pieces))
    message = f"{of_word:.1f} pieces a word, {unknown:,} of {len(pieces):,} unknown ({share:.0%})"
    if share <= _MANY_UNKNOWN and of_word <= _MANY_PIECES:
        report("vocabulary", message)
        return
    report(
        "vocabulary",
        f"{message}: the backbone was made for other text, and hardly reads this one. Take a "
        "multilingual encoder, or one of the language or field (docs/languages.md)",
        Level.WARNING,
    )


def report_lengths(
    trial: Trial,
    corpus: Corpus,
    max_length: int,
    variant: str,
    report: Report,
    most: int | None = None,
) -> None:
    """Rows that are longer than ``max_length`` tokens."""
    total, cut = len(corpus.rows), len(trial.truncated)
    if not cut:
        longest = f"the longest of {total:,} rows has {trial.longest} tokens"
        report("lengths", f"{longest}, max_length is {max_length}")
        return
    message = (
        f"{cut} of {total} rows ({cut / total:.0%}) are longer than {max_length} tokens "
        f"and are read in part, the first in {corpus.places[trial.truncated[0]]}; "
        f"variants.{variant}.finetuning.max_length raises it"
        + ("" if most is None else f", up to the {most} that the backbone reads")
    )
    report("lengths", message, Level.WARNING if cut > _MANY_TRUNCATED * total else Level.NOTE)


def report_trial(trial: Trial, corpus: Corpus, report: Report) -> None:
    """Rows learnt by heart, and those that were not."""
    learnt = trial.rows - len(trial.unlearnt)
    message = (
        f"{learnt} of {trial.rows} rows learnt in {trial.steps} steps and {trial.seconds:.0f} s"
    )
    if not trial.unlearnt:
        report("learning by heart", message)
        return
    report(
        "learning by heart",
        f"{message}. A classifier can learn so few rows by heart, unless labels, tags or types "
        "contradict one another; look at these:",
        Level.ERROR if learnt < 0.9 * trial.rows else Level.WARNING,
    )
    for row, label in trial.unlearnt[:_LISTED_ROWS]:
        report(corpus.place(row), f"labelled {row.relation}, learnt as {label}", Level.WARNING)


def report_inverses(schema: RelationSchema, report: Report) -> None:
    """Relations without a known inverse, for a variant that trains on both directions."""
    named = [name for name in schema.names if name != schema.negative]
    if without := [name for name in named if schema.inverse_of(name) is None]:
        message = (
            f"{enumerated(without)} have no inverse in relations.yml, so their sentences train "
            "one direction only; declare symmetric relations as their own inverse"
        )
        report("inverses", message, Level.NOTE)


def report_effort(efforts: Sequence[Effort], report: Report) -> None:
    """Estimated time of a cell on this machine."""
    for effort in efforts:
        steps = f"{effort.steps:,} steps, " if effort.steps else ""
        report("time", f"{effort.part}: {steps}about {duration(max(1, effort.seconds))}")
    total = sum(effort.seconds for effort in efforts)
    report("time", f"about {duration(max(1, total))} in all for one seed, language model aside")
