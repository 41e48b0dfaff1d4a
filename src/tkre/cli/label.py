"""``kedro label``: whole folders of sentences."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from kedro.framework.session import KedroSession

from tkre import configuration
from tkre.cli.options import ENVIRONMENT
from tkre.cli.trained import find_trained
from tkre.hooks import REFUSALS, Refusal

if TYPE_CHECKING:  # it imports pyarrow
    from tkre.labelling import Done


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option("--cell", default=None, help="Whose classifier; inference.classifier if not given.")
@click.option(
    "--classifier", type=click.Path(exists=True, file_okay=False, path_type=Path), default=None,
    help="Its folder instead: exported, published, or of a run.",
)  # fmt: skip
@click.option("--wanted-precision", type=float, default=None, help="Withholds what is less sure.")
@click.option("--workers", type=int, default=1, help="More than one: on Ray (extra scale).")
@click.option("--address", default=None, help="Of a Ray cluster; else one is started here.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def label(
    source: Path,
    target: Path,
    cell: str | None,
    classifier: Path | None,
    wanted_precision: float | None,
    workers: int,
    address: str | None,
    env: str | None,
) -> None:
    """Labels the Parquet files in SOURCE into files of the same names in TARGET.

    The same command again goes on with the files that are not done.
    """
    from tkre import labelling
    from tkre.evaluation.trust import TRUST_FILE
    from tkre.loading import newest_version

    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        try:
            trust: str | None
            if classifier is None:
                name = cell or configuration.read_book().parameters.inference.classifier
                found = find_trained(catalog, name)
                folder, trust = found.classifier, str(found.trust)
            elif cell is not None:
                raise ValueError("--cell and --classifier name two classifiers: give one")
            else:
                folder = newest_version(classifier)
                beside = folder / TRUST_FILE
                trust = str(beside) if beside.is_file() else None
            labeller = labelling.Labeller(str(folder), trust, wanted_precision)
            labeller.extractor()  # refuses a precision that it cannot promise
            files = labelling.partitions(source, target)
            done = (
                labelling.label_here(labeller, files)
                if workers == 1 and address is None
                else labelling.label_on_ray(labeller, files, workers, address)
            )
            _tell_labelled(done)
        except REFUSALS as error:
            raise Refusal(str(error)) from error


def _tell_labelled(files: Iterable[Done]) -> None:
    rows, problems = 0, 0
    for done in files:
        took = f"{done.seconds:.1f} s" if done.seconds else "done before"
        click.echo(
            f"{done.file}: {done.rows} sentences, {done.withheld} withheld, "
            f"{done.problems} not read, {took}"
        )
        rows, problems = rows + done.rows, problems + done.problems
    click.echo(f"{rows} sentences, {problems} not read (column problem)")
