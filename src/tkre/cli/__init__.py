"""Commands of the project beside Kedro's own; each group has a module."""

from __future__ import annotations

import click
from kedro.framework.cli.utils import LazyGroup

# Imported when it is used: every command of Kedro reads this module.
COMMANDS = {
    "run": "tkre.cli.run.run",
    "generation": "tkre.cli.generation.generation",
    "corpus": "tkre.cli.corpus.corpus",
    "label": "tkre.cli.classifier.label",
    "classifier": "tkre.cli.classifier.classifier",
    "results": "tkre.cli.results.results",
}


@click.group(name="tkre", cls=LazyGroup, lazy_subcommands=COMMANDS)
def cli() -> None:
    """TKRE."""
