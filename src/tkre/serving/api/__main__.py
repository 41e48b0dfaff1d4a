"""``python -m tkre.serving.api FOLDER``: the service without a Kedro project, as in a container."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from tkre.core.errors import UserError
from tkre.serving.api.schemas import LEAST_BODY_BYTES, ServiceParams

LIMITS = ServiceParams()


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
@click.option(
    "--max-body-bytes",
    type=click.IntRange(min=LEAST_BODY_BYTES),
    default=LIMITS.max_body_bytes,
    show_default=True,
)
@click.option(
    "--max-sentences", type=click.IntRange(min=1), default=LIMITS.max_sentences, show_default=True
)
@click.option(
    "--max-characters",
    type=click.IntRange(min=1),
    default=LIMITS.max_characters,
    show_default=True,
)
@click.option(
    "--max-seconds",
    type=click.IntRange(min=1),
    default=LIMITS.max_seconds,
    show_default=True,
    help="For a request, its body's arrival included.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    help="A name of the service beside localhost, as behind a proxy; several times; '*': any.",
)
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
