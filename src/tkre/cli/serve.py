"""``kedro classifier serve``: a trained classifier as an HTTP service."""

from __future__ import annotations

import click
from kedro.framework.session import KedroSession

from tkre.cli.options import ENVIRONMENT
from tkre.cli.trained import find_trained
from tkre.hooks import REFUSALS, Refusal


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
        from tkre.service import server
        from tkre.service.params import ServiceParams
    except ModuleNotFoundError as error:
        raise Refusal(f"{error}: pip install 'tkre[serve]'") from None
    try:
        with KedroSession.create(env=env) as session:
            found = find_trained(session.load_context().catalog, cell)
        server.require_free(host, port)
        extractor = server.loaded(
            found.classifier, found.trust, wanted_precision, found.schema, threads
        )
        server.serve(extractor, ServiceParams(), host, port)
    except REFUSALS as error:
        raise Refusal(str(error)) from error
