"""``kedro corpus validate``: what is wrong with a corpus, and how it is made up."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from tkre.checkup.corpus import CheckedCorpus
from tkre.checkup.counts import count
from tkre.checkup.findings import counted, told
from tkre.checkup.rows import Rows
from tkre.cli.corpus.project import checked_corpus, in_project
from tkre.cli.options import ENVIRONMENT

_SHOWN_TYPES = 3


@click.command("validate")
@click.argument("name")
@click.option("--shots", "-k", type=click.IntRange(1), default=8, help="K that you mean to run.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def validate_command(name: str, shots: int, env: str | None) -> None:
    """Checks the corpus NAME: errors and warnings with file and line, and how it is made up.

    Ends with 1 if there is an error. Reads only.
    """
    checked: CheckedCorpus = in_project(env, lambda context: checked_corpus(context, name, shots))
    if checked.rows is not None and any(checked.rows.splits.values()):
        _print_counts(checked.rows)
    for line in told(checked.findings):
        click.echo(line)
    numbers = [f"{count} {level}{'' if count == 1 else 's'}"
               for level, count in counted(checked.findings).items()]  # fmt: skip
    click.echo(f"{name}: {', '.join(numbers)}")
    if not checked.usable:
        raise click.exceptions.Exit(1)
    click.echo(f"Next: kedro corpus doctor {name}")


def _print_counts(rows: Rows) -> None:
    table = Table()
    table.add_column("relation")
    splits = list(rows.splits)
    for column in (*splits, "words"):
        table.add_column(column, justify="right")
    if rows.schema.entity_types:
        table.add_column("types")
    relations = count(rows)
    for relation in relations:
        cells = [relation.name, *(f"{relation.rows[split]:,}" for split in splits)]
        cells.append("{} - {} - {}".format(*relation.words) if sum(relation.rows.values()) else "")
        if rows.schema.entity_types:
            shown = [f"{pair} ({n})" for pair, n in relation.types[:_SHOWN_TYPES]]
            more = len(relation.types) - _SHOWN_TYPES
            cells.append(", ".join(shown) + (f" and {more} more" if more > 0 else ""))
        table.add_row(*cells)
    totals = [f"{sum(r.rows[split] for r in relations):,}" for split in splits]
    table.add_section()
    table.add_row("all", *totals, "")
    console = Console()
    console.print(table)
    console.print("words: fewest - median - most of a sentence", markup=False)
