"""``kedro label``: sentences of files, labelled by a trained classifier."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from tkre.cli.classifier import (
    balanced_option,
    find_trained,
    precision_option,
    trained_cells,
)
from tkre.cli.frame import FramedCommand
from tkre.cli.session import Project, env_option, session
from tkre.core.errors import enumerated
from tkre.core.terminal import say, say_next
from tkre.evaluation.calibrator import CALIBRATOR_FILE, Calibrator
from tkre.modeling.settings import ClassifierSettings

if TYPE_CHECKING:  # it loads torch
    from tkre.serving.batch import Done


@click.command(cls=FramedCommand)
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--classifier", default=None,
    help="Its cell (newsroom.k8.s13.tkre_plus) or folder; that of the last run if none.",
)  # fmt: skip
@precision_option
@balanced_option
@click.option(
    "--workers", type=click.IntRange(1), default=1, help="More than one: on Ray (extra scale)."
)
@click.option("--address", default=None, help="Ray cluster; a local one is started if none.")
@env_option
def label(
    source: Path,
    target: Path,
    classifier: str | None,
    wanted_precision: float | None,
    balanced: bool,
    workers: int,
    address: str | None,
    env: str | None,
) -> None:
    """Label a file of sentences, or all files of a folder.

    SOURCE is JSON Lines, CSV, TSV, Parquet, or text with a tagged sentence a line. TARGET ends with
    .jsonl, .csv or .parquet: all columns of SOURCE, the answers and their probabilities. Where
    SOURCE is a folder, so is TARGET; the same command again continues with the files that are not
    done.
    """
    with session(env) as project:
        from tkre.serving import batch
        from tkre.serving.labelling import require_labelled

        files = batch.partitions(source, target)
        if others := batch.passed_over(source, target):
            say(f"left out, by their endings: {enumerated(others)}")
        folder, calibrator, serve = _chosen(project, classifier, balanced=balanced)
        labeller = batch.Labeller(
            str(folder), calibrator, wanted_precision, natural=False if balanced else None
        )
        extractor = labeller.extractor()  # refuses a precision that it cannot guarantee
        if workers == 1 and address is None:
            done = batch.label_here(labeller, files, extractor)
        else:
            del extractor  # each worker loads its own
            done = batch.label_on_ray(labeller, files, workers, address)
        labelled = list(_printed(done))
        require_labelled((done.counts for done in labelled), str(source))
    say_next(serve)


def _chosen(project: Project, given: str | None, *, balanced: bool) -> tuple[Path, str | None, str]:
    """The classifier that an option names, or the newest one.

    Returns:
        Its folder; its calibrator; the command that serves it.
    """
    from tkre.serving.extractor import newest_version

    if given is not None and Path(given).is_dir():
        folder = newest_version(Path(given))
        beside = folder / CALIBRATOR_FILE
        if balanced and beside.is_file():
            _require_balanced(folder, beside)
        calibrator = str(beside) if beside.is_file() else None
        return folder, calibrator, f"python -m tkre.serving.api {quote(str(folder))}"
    name = given
    if name is None:
        trained = trained_cells(project)
        if not trained:
            raise FileNotFoundError("there is no classifier yet: `kedro run` trains one")
        name = trained[0].name
        say(f"classifier: {name}, of the last run")
    found = find_trained(project.catalog, name, balanced=balanced)
    return found.classifier, str(found.calibrator), f"kedro classifier serve {name}"


def _require_balanced(folder: Path, record: Path) -> None:
    """Refuse ``--balanced`` where a folder has the calibrator record of natural text alone.

    Raises:
        ValueError: See above.
    """
    natural = Calibrator.read(record).fitted_on == "natural"
    if natural and ClassifierSettings.read(folder).natural_prior:
        raise ValueError(
            f"{record} was fitted on natural text, and the record of validation rows is not in "
            "this folder: give --classifier the name of its cell, or leave --balanced out"
        )


def _printed(files: Iterable[Done]) -> Iterable[Done]:
    for done in files:
        seconds = f"{done.seconds:.1f} s" if done.seconds else "done before"
        say(f"{Path(done.source).name}: {done.counts}, {seconds}")
        for line in done.counts.lines():
            say(line)
        say(f"labels: {done.target}")
        yield done
