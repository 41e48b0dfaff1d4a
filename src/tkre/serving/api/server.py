"""The process: one classifier, one port, until it is told to stop."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import NoReturn

import uvicorn

from tkre.core.schema import RelationSchema
from tkre.serving.api.app import create_app
from tkre.serving.api.logs import configure_logs, log
from tkre.serving.api.schemas import ServiceParams
from tkre.serving.extractor import RelationExtractor


class PortError(RuntimeError):
    """An address that cannot be listened at."""


def serve(extractor: RelationExtractor, params: ServiceParams, host: str, port: int) -> None:
    """Serves a classifier until the process gets SIGTERM or SIGINT.

    Then nothing new is accepted, and what is under way is answered. The log, a line of JSON for
    each request, goes to standard error.

    Args:
        extractor: The classifier.
        params: Limits.
        host: Where to listen.
        port: Likewise; 0 takes a free one, which the log names.

    Raises:
        PortError: The address cannot be listened at.
    """
    listening = _listening(host, port)
    configure_logs()
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    log("listening", url=address, docs=f"{address}/docs")
    config = uvicorn.Config(
        create_app(extractor, params),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=params.shutdown_seconds,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server takes both while it runs, and raises what it got again when it has stopped.
        signal.signal(number, _leave)
    uvicorn.Server(config).run(sockets=[listening])


def require_free(host: str, port: int) -> None:
    """Looks whether ``serve`` can listen there, before a classifier is loaded for it.

    The port is let go again: who asks while the classifier is loaded is refused, not kept waiting.

    Args:
        host: Where to listen.
        port: Likewise.

    Raises:
        PortError: The address cannot be listened at.
    """
    _listening(host, port).close()


def loaded(
    folder: Path,
    calibrator: Path | None = None,
    wanted_precision: float | None = None,
    schema: RelationSchema | Path | None = None,
    threads: int | None = None,
) -> RelationExtractor:
    """The classifier that is to be served, which has read a sentence already.

    So the first request does not pay for what libraries put off until their first use.

    Args:
        folder: As of ``RelationExtractor.from_pretrained``.
        calibrator: Likewise.
        wanted_precision: Likewise.
        schema: Likewise.
        threads: Of torch or ONNX Runtime; None is their own choice.
    """
    extractor = RelationExtractor.from_pretrained(
        folder,
        calibrator=calibrator,
        wanted_precision=wanted_precision,
        schema=schema,
        threads=threads,
    )
    if threads is not None and extractor.backend == "torch":
        import torch  # an exported classifier starts without it, in a fraction of the time

        torch.set_num_threads(threads)
    extractor(["<head>Ada</head> was born in <tail>London</tail>."])
    return extractor


def _leave(*_: object) -> NoReturn:
    """Being told to stop is no failure."""
    raise SystemExit(0)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise PortError(f"cannot listen at {host}:{port}: {error.strerror}") from None
