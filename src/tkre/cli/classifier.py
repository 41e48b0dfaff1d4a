"""``kedro classifier``: trained classifiers, for use elsewhere."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.session import KedroSession

from tkre.cli.options import ENVIRONMENT
from tkre.cli.serve import serve_classifier_command
from tkre.cli.trained import find_trained, newest
from tkre.evaluation.trust import Trust
from tkre.hooks import REFUSALS, Refusal

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

    FOLDER is new, or empty. Its trust record and its relations are put beside it. What reads it
    (RelationExtractor, python -m tkre.service) starts in a second, without torch.
    """
    from tkre.loading import put_beside
    from tkre.report.upload_folder import require_empty

    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        try:
            found = find_trained(catalog, cell)
            require_empty(folder)
            checkpoint = catalog.load(f"{cell}.classifier")
            Trust.read(found.trust).require(checkpoint.lineage.weights)
            from tkre.training.onnx_export import export_onnx  # seconds of torch

            export_onnx(checkpoint, folder)
            put_beside(folder, found.trust, found.schema)
        except REFUSALS as error:
            raise Refusal(str(error)) from error
    click.echo(folder)


@classifier.command("publish")
@click.argument("cell")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def publish_classifier_command(cell: str, folder: Path, env: str | None) -> None:
    """Puts the classifier of CELL and its card into FOLDER, for the Hub.

    FOLDER is new, or empty. Its trust record and its relations are put beside it.
    """
    from tkre.report.upload_folder import assemble

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
            files = assemble(found.classifier, found.trust, found.schema, text, folder)
        except REFUSALS as error:
            raise Refusal(str(error)) from error
    for file in files:
        click.echo(folder / file)
