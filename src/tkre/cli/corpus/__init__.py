"""``kedro corpus``: a corpus of one's own, from an empty folder to what a run needs."""

from __future__ import annotations

import click

from tkre.cli.corpus.candidates import candidates_command
from tkre.cli.corpus.doctor import doctor_command
from tkre.cli.corpus.new import new_command
from tkre.cli.corpus.questions import questions_command
from tkre.cli.corpus.validate import validate_command


@click.group()
def corpus() -> None:
    """A corpus of your own: its files, what is wrong with them, whether this machine will do."""


for command in (
    new_command,
    validate_command,
    doctor_command,
    questions_command,
    candidates_command,
):
    corpus.add_command(command)
