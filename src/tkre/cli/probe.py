"""``kedro corpus probe``: behavioural checks of a classifier, made from the schema of a corpus."""

from __future__ import annotations

from pathlib import Path

import click
import pandas as pd
from rich.console import Console

from tkre.cli.classifier import (
    experiment_with,
    find_trained,
    named_cell,
    newest,
    preferred_cell,
)
from tkre.cli.session import Project, env_option, require_corpus, session
from tkre.core.cells import Cell
from tkre.core.instance import to_tagged
from tkre.core.schema import RelationSchema
from tkre.core.terminal import say_next
from tkre.evaluation.error_analysis import sentences_of
from tkre.evaluation.probing import CHECKS, worst_probes
from tkre.report.probes import share_table
from tkre.report.tables import rich_table


@click.command("probe")
@click.argument("name")
@click.option("--classifier", "cell", default=None,
              help="Cell of the classifier; inference.classifier, or the newest one of the corpus, "
              "if none.")  # fmt: skip
@click.option("--worst", type=click.IntRange(0), default=10, show_default=True,
              help="Number of wrong answers that are printed.")  # fmt: skip
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=None,
              help="Writes all sentences and answers to a .jsonl or .csv file.")  # fmt: skip
@env_option
def probe_command(
    name: str, cell: str | None, worst: int, output: Path | None, env: str | None
) -> None:
    """Check what a classifier does with made-up sentences.

    The sentences are made from relations.yml of the corpus NAME alone: the phrase of each relation
    between two names, in both orders, negated, beside a third name, with unusual names and with
    typing errors. Prints the share of right answers of each check and relation.
    """
    with session(env) as project:
        require_corpus(project.config, name)
        if output is not None:
            _check_output(output)
        found = _cell(project, name, cell)
        schema = _schema(project, found)
        from tkre.pipelines.reporting.gpu_nodes import probe

        scored = probe(project.catalog.load(f"{found.name}.classifier"), schema)
    _print(scored, found.name, worst)
    if output is not None:
        _write(scored, output)
        click.echo(f"{len(scored):,} sentences in {output}")
    click.echo()
    say_next(f"kedro classifier serve {found.name}")


def _check_output(output: Path) -> None:
    if output.suffix not in (".jsonl", ".csv"):
        raise ValueError(f"--output {output}: the name ends with .jsonl or .csv")
    if output.exists():
        raise FileExistsError(f"{output} exists and is not overwritten")


def _cell(project: Project, name: str, given: str | None) -> Cell:
    """The cell whose classifier is probed.

    Raises:
        ValueError: The named cell is one of another corpus.
        FileNotFoundError: There is no classifier yet.
    """

    def fits(cell: Cell) -> bool:
        return cell.sample.corpus == name

    def made(cell: Cell) -> bool:
        return newest(project.catalog, f"{cell.name}.classifier") is not None

    if given:
        if not fits(cell := named_cell(given)):
            raise ValueError(
                f"--classifier {given} is no cell of {name}, such as {name}.k8.s13.tkre"
            )
        return cell
    found = preferred_cell(project, None, fits, made)
    if found is None:
        advice = f"run an experiment with corpora: [{name}] (docs/own-relations.md)"
        command = experiment_with(project.config, fits)
        raise FileNotFoundError(f"{name} has no classifier yet: {command or advice}")
    return found


def _schema(project: Project, cell: Cell) -> RelationSchema:
    """The schema as ``relations.yml`` has it now, so that forms are tried without a run."""
    trained = find_trained(project.catalog, cell.name).schema
    schema = project.folder(cell.sample.corpus).schema()
    if changed := sorted({*trained.names} ^ {*schema.names}):
        raise ValueError(
            f"relations.yml of {cell.sample.corpus} has other relations than the classifier of "
            f"{cell.name} ({', '.join(changed)}): kedro run --to-outputs {cell.name}.calibrator"
        )
    return schema


def _print(scored: pd.DataFrame, cell: str, most: int) -> None:
    table = share_table(scored, "relation", f"probes of {cell}", "relation")
    shown = rich_table(table)
    # Within 80 columns, beside names of relations that may be long.
    shown.padding, shown.show_edge = 0, False
    shown.columns[0].no_wrap, shown.columns[0].overflow = False, "fold"
    Console().print(shown)
    click.echo()
    for check in scored["check"].drop_duplicates():
        click.echo(f"{check:<9}  {CHECKS[check]}")
    right, every = int(scored["right"].sum()), len(scored)
    click.echo(f"{cell}: {right:,} of {every:,} right ({table.note})")
    worst = worst_probes(scored, most)
    for instance, row in zip(sentences_of(worst), worst.to_dict("records"), strict=True):
        click.echo(
            f"\n{row['check']}: {row['predicted']} ({row['probability']:.2f}), expected: "
            f"{row['expected']}\n  {to_tagged(instance)}"
        )


def _write(scored: pd.DataFrame, output: Path) -> None:
    tagged = [to_tagged(instance) for instance in sentences_of(scored)]
    columns = ["id", "check", "relation", "head_type", "tail_type", "expected", "predicted",
               "probability", "right"]  # fmt: skip
    table = scored[columns].assign(sentence=tagged)
    output.parent.mkdir(parents=True, exist_ok=True)
    if output.suffix == ".csv":
        # Excel reads UTF-8 only with the mark.
        table.to_csv(output, index=False, encoding="utf-8-sig")
    else:
        table.to_json(output, orient="records", lines=True, force_ascii=False)
