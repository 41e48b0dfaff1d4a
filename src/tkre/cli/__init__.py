"""Commands of the project: ``run`` with its own runner, and one module for each group."""

from __future__ import annotations

import copy

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.cli.utils import LazyGroup

from tkre.cli.frame import RunCommand
from tkre.cli.overrides import split_params
from tkre.core.terminal import set_up

set_up()  # Kedro imports this module before it runs any command
RUNNER = "tkre.runner.GridRunner"
# Imported at their first use: every Kedro command reads this module.
COMMANDS = {
    "generation": "tkre.cli.generation.generation",
    "corpus": "tkre.cli.corpus.corpus",
    "label": "tkre.cli.label.label",
    "classifier": "tkre.cli.classifier.classifier",
    "results": "tkre.cli.results.results",
}


@click.group(name="tkre", cls=LazyGroup, lazy_subcommands=COMMANDS)
def cli() -> None:
    """Commands of TKRE."""


def _run_command() -> click.Command:
    """``kedro run`` with the project's runner where none is named, and lists in ``--params``."""
    options = {option.name: copy.copy(option) for option in kedro_run.params}
    options["runner"].default = RUNNER
    options["params"].callback = split_params
    return RunCommand(
        "run", callback=kedro_run.callback, params=[*options.values()], help=kedro_run.help,
        context_settings=kedro_run.context_settings,
    )  # fmt: skip


run = _run_command()  # Kedro looks for it under this name, too
cli.add_command(run)
