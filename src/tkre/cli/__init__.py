"""Commands of the project besides Kedro's own; one module for each group."""

from __future__ import annotations

import click
from kedro.framework.cli.utils import LazyGroup

# Imported at their first use: every Kedro command reads this module.
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
    """Commands of TKRE."""
