"""``python -m tkre.serving.api FOLDER``: the service without a Kedro project, as in a container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tkre.core.errors import UserError
from tkre.serving.api.limits import ServiceParams, limit_options


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0: all interfaces.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0: a free one."
)
@click.option(
    "--calibrator",
    type=click.Path(exists=True, path_type=Path),
    help="Calibrator record; by default trust.json of FOLDER, if there is one.",
)
@click.option(
    "--schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Relation schema; by default relations.yml of FOLDER, if there is one.",
)
@click.option("--wanted-precision", type=float, help="Withhold answers below it.")
@click.option("--balanced", is_flag=True, help="Without the prior of natural text.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads of torch or ONNX Runtime.")
@limit_options
def main(
    folder: Path,
    host: str,
    port: int,
    calibrator: Path | None,
    schema: Path | None,
    wanted_precision: float | None,
    balanced: bool,
    threads: int | None,
    **limits: Any,
) -> None:
    """Serve the classifier in FOLDER: POST /predict, GET /relations, /health, /docs."""
    try:
        from tkre.serving.api.server import load_extractor, require_free, serve
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error}: pip install 'tkre[serve]'") from None
    try:
        require_free(host, port)
        extractor = load_extractor(
            folder, calibrator, wanted_precision, schema, threads, False if balanced else None
        )
        serve(extractor, ServiceParams(**limits), host, port)
    except (UserError, ValueError, RuntimeError, OSError) as error:
        raise click.ClickException(str(error)) from None


if __name__ == "__main__":
    main(prog_name="python -m tkre.serving.api")
