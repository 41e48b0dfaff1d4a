"""Commands of the project beside Kedro's own; each group has a module."""

from __future__ import annotations

import click

from tkre.cli.classifier import classifier
from tkre.cli.corpus import corpus
from tkre.cli.generation import generation
from tkre.cli.graph import graph
from tkre.cli.label import label
from tkre.cli.results import results
from tkre.cli.run import run


@click.group(name="tkre")
def cli() -> None:
    """TKRE."""


for command in (run, generation, corpus, label, classifier, results, graph):
    cli.add_command(command)
