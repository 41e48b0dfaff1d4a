"""``kedro classifier``: trained classifiers, for use elsewhere."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol

from tkre.cli.options import ENVIRONMENT
from tkre.cli.serve import serve_classifier_command
from tkre.grid import parse_cell
from tkre.hooks import REFUSALS, Refusal
from tkre.runners.digests import load_path

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

    What reads it (RelationExtractor, python -m tkre.service) starts in a second, without torch.
    """
    from tkre.training.onnx_classifier import OnnxError
    from tkre.training.onnx_export import export_onnx

    with KedroSession.create(env=env) as session:
        dataset = session.load_context().catalog.get(f"{cell}.classifier")
        try:
            parse_cell(cell)
            if dataset is None or not dataset.exists():
                raise FileNotFoundError(
                    f"{cell} has no classifier yet: kedro run --to-outputs {cell}.classifier"
                )
            export_onnx(dataset.load(), folder)
        except (*REFUSALS, OnnxError) as error:
            raise Refusal(str(error)) from error
    click.echo(folder)


@classifier.command("publish")
@click.argument("cell")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def publish_classifier_command(cell: str, folder: Path, env: str | None) -> None:
    """Puts the classifier of CELL, its trust record and its card into FOLDER, for the Hub."""
    from tkre.report.upload_folder import assemble

    with KedroSession.create(env=env) as session:
        catalog = session.load_context().catalog
        try:
            parse_cell(cell)
            weights, trust, *cards = (
                _newest(catalog, f"{cell}.{part}") for part in ("classifier", "trust", *CARDS)
            )
            if weights is None or trust is None:
                raise FileNotFoundError(
                    f"{cell} has no classifier yet: kedro run --to-outputs {cell}.trust"
                )
            written = [card for card in cards if card is not None]
            if not written:
                raise FileNotFoundError(
                    f"{cell} has no card yet, an experiment writes it: "
                    f"kedro run --to-outputs {cell}.{CARDS[0]}"
                )
            card = written[0].read_text(encoding="utf-8")
            files = assemble(weights, trust, card, folder)
        except REFUSALS as error:
            raise Refusal(str(error)) from error
    for file in files:
        click.echo(folder / file)


def _newest(catalog: CatalogProtocol, name: str) -> Path | None:
    """Where the newest version of a dataset lies; None if there is none."""
    dataset = catalog.get(name)
    return load_path(dataset) if dataset is not None and dataset.exists() else None
