"""``kedro label``: whole folders of sentences.

``kedro classifier serve``: a trained classifier as an HTTP service.

``kedro classifier``: trained classifiers, for use elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click
from kedro.framework.session import KedroSession

from tkre.cli.session import ENVIRONMENT, find_trained, newest
from tkre.evaluation.calibrator import Calibrator
from tkre.project import config_loader as configuration
from tkre.project.hooks import REFUSALS, Refusal

if TYPE_CHECKING:  # it imports pyarrow
    from tkre.serving.batch import Done


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
    from tkre.evaluation.calibrator import CALIBRATOR_FILE
    from tkre.serving import batch as labelling
    from tkre.serving.extractor import newest_version

    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        try:
            calibrator: str | None
            if classifier is None:
                name = cell or configuration.read_config().parameters.inference.classifier
                found = find_trained(catalog, name)
                folder, calibrator = found.classifier, str(found.calibrator)
            elif cell is not None:
                raise ValueError("--cell and --classifier name two classifiers: give one")
            else:
                folder = newest_version(classifier)
                beside = folder / CALIBRATOR_FILE
                calibrator = str(beside) if beside.is_file() else None
            labeller = labelling.Labeller(str(folder), calibrator, wanted_precision)
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


@click.command("serve")
@click.argument("cell")
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: all interfaces.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one."
)
@click.option("--wanted-precision", type=float, default=None, help="Withholds what is less sure.")
@click.option("--threads", type=click.IntRange(min=1), default=None, help="Of torch.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def serve_classifier_command(
    cell: str,
    host: str,
    port: int,
    wanted_precision: float | None,
    threads: int | None,
    env: str | None,
) -> None:
    """Serves the newest classifier of CELL (newsroom.k8.s13.tkre_plus) until it is stopped.

    POST /predict, GET /relations, /health, and /docs for a browser (extra serve).
    """
    try:
        from tkre.serving.api import server
        from tkre.serving.api.schemas import ServiceParams
    except ModuleNotFoundError as error:
        raise Refusal(f"{error}: pip install 'tkre[serve]'") from None
    try:
        with KedroSession.create(env=env) as session:
            found = find_trained(session.load_context().catalog, cell)
        server.require_free(host, port)
        extractor = server.loaded(
            found.classifier, found.calibrator, wanted_precision, found.schema, threads
        )
        server.serve(extractor, ServiceParams(), host, port)
    except REFUSALS as error:
        raise Refusal(str(error)) from error


# Cards by the rows that their scores are of; those of the test split come first.
CARDS = ("test_model_card", "development_model_card")


@click.group()
def classifier() -> None:
    """Trained classifiers, for use elsewhere."""


classifier.add_command(serve_classifier_command)


@classifier.command("export")
@click.argument("cell")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def export_classifier_command(cell: str, folder: Path, env: str | None) -> None:
    """Writes the classifier of CELL (newsroom.k8.s13.tkre_plus) to FOLDER for ONNX Runtime.

    FOLDER is new, or empty. Its calibrator record and its relations are put beside it. What reads it
    (RelationExtractor, python -m tkre.serving.api) starts in a second, without torch.
    """
    from tkre.serving.export import require_empty
    from tkre.serving.extractor import save_artifacts

    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        try:
            found = find_trained(catalog, cell)
            require_empty(folder)
            checkpoint = catalog.load(f"{cell}.classifier")
            Calibrator.read(found.calibrator).require(checkpoint.lineage.weights)
            from tkre.training.onnx_export import export_onnx

            export_onnx(checkpoint, folder)
            save_artifacts(folder, found.calibrator, found.schema)
        except REFUSALS as error:
            raise Refusal(str(error)) from error
    click.echo(folder)


@classifier.command("publish")
@click.argument("cell")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def publish_classifier_command(cell: str, folder: Path, env: str | None) -> None:
    """Puts the classifier of CELL and its card into FOLDER, for the Hub.

    FOLDER is new, or empty. Its calibrator record and its relations are put beside it.
    """
    from tkre.serving.export import assemble

    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        try:
            found = find_trained(catalog, cell)
            written = (newest(catalog, f"{cell}.{name}") for name in CARDS)
            card = next((path for path in written if path is not None), None)
            if card is None:
                raise FileNotFoundError(
                    f"{cell} has no card yet, an experiment writes it: "
                    f"kedro run --to-outputs {cell}.{CARDS[0]}"
                )
            text = card.read_text(encoding="utf-8")
            files = assemble(found.classifier, found.calibrator, found.schema, text, folder)
        except REFUSALS as error:
            raise Refusal(str(error)) from error
    for file in files:
        click.echo(folder / file)
