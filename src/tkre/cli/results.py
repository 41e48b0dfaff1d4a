"""``kedro results``: the book of results, for the docs."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.session import KedroSession

from tkre import configuration
from tkre.cli.options import ENVIRONMENT
from tkre.hooks import REFUSALS, Refusal
from tkre.results import training, write_results


@click.group()
def results() -> None:
    """The book of results: what experiments found, for the docs."""


@results.command("write")
@click.argument("experiments", nargs=-1, required=True)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("docs/results")
)
def write_command(experiments: tuple[str, ...], env: str | None, folder: Path) -> None:
    """Writes a page and the tables behind it for every one of EXPERIMENTS that has been run."""
    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        book = configuration.read_book()
        try:
            if unknown := sorted(set(experiments) - set(book.experiments)):
                raise ValueError(f"no experiment {', '.join(unknown)} in experiments.yml")
            cells = {name: list(book.cells(name)) for name in experiments}
            for page in write_results(catalog, cells, folder, env):
                click.echo(page)
            click.echo(training(catalog, {cell for named in cells.values() for cell in named}))
        except REFUSALS as error:
            raise Refusal(str(error)) from error
