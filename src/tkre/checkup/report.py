"""What a doctor says: a line for each thing that was looked at, good or bad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tkre.checkup.effort import Effort
from tkre.checkup.findings import Level, names
from tkre.checkup.machine import GIB, Machine, stored_bytes, training_bytes
from tkre.checkup.rows import Rows
from tkre.checkup.trial import Trial
from tkre.corpora.schema import RelationSchema

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
