"""``kedro run``: Kedro's own, with the project's runner where none is named."""

from __future__ import annotations

import copy

import click
from kedro.framework.cli.project import run as kedro_run

from tkre.runner import GridRunner


def _run_command() -> click.Command:
    command = copy.copy(kedro_run)
    command.params = [copy.copy(option) for option in kedro_run.params]
    [runner] = (option for option in command.params if option.name == "runner")
    runner.default = f"{GridRunner.__module__}.{GridRunner.__name__}"
    return command


run = _run_command()
