"""``kedro classifier``: trained classifiers, for use elsewhere."""

from __future__ import annotations

from pathlib import Path

import click
from kedro.framework.session import KedroSession

from tkre.cli.options import ENVIRONMENT
from tkre.cli.serve import serve_classifier_command
from tkre.grid import parse_cell
from tkre.hooks import REFUSALS, Refusal


@click.group()
def classifier() -> None:
    """Trained classifiers, for use elsewhere."""


classifier.add_command(serve_classifier_command)


@classifier.command("export")
@click.argument("cell")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def export_classifier_command(cell: str, folder: Path, env: str | None) -> None:
    """Writes the classifier of CELL (newsroom.k8.s13.tkre_plus) to FOLDER for ONNX Runtime."""
    from tkre.training.onnx_classifier import OnnxError, export_onnx

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
