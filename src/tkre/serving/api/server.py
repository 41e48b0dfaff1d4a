"""The server process: one classifier at one address, until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from typing import NoReturn

import uvicorn

from tkre.core.errors import UserError
from tkre.core.schema import RelationSchema
from tkre.serving.api.app import create_app
from tkre.serving.api.limits import ServiceParams
from tkre.serving.api.logs import configure_logs, log
from tkre.serving.extractor import RelationExtractor


class PortError(UserError, RuntimeError):
    """The address cannot be bound."""


def serve(extractor: RelationExtractor, params: ServiceParams, host: str, port: int) -> None:
    """Serve a classifier until SIGTERM or SIGINT; requests under way are then answered.

    Args:
        extractor: The classifier.
        params: Limits.
        host: Address to bind.
        port: Port to bind; 0 takes a free one, which the log names.

    Raises:
        PortError: The address cannot be bound.
    """
    listening = _listening(host, port)
    configure_logs()
    address = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
    log("listening", url=address, docs=f"{address}/docs")
    config = uvicorn.Config(
        create_app(
            extractor,
            params.model_copy(update={"allowed_hosts": (*params.allowed_hosts, host)}),
        ),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=params.shutdown_seconds,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # The server handles both while it runs, and raises the signal again after its shutdown.
        signal.signal(number, _exit_0)
    uvicorn.Server(config).run(sockets=[listening])


def require_free(host: str, port: int) -> None:
    """Check, before a classifier is loaded, that ``serve`` can bind an address.

    The port is released again, so that clients are refused during loading instead of kept waiting.

    Raises:
        PortError: The address cannot be bound.
    """
    _listening(host, port).close()


def load_extractor(
    folder: Path,
    calibrator: Path | None = None,
    wanted_precision: float | None = None,
    schema: RelationSchema | Path | None = None,
    threads: int | None = None,
    natural: bool | None = None,
) -> RelationExtractor:
    """``RelationExtractor.from_pretrained``, with the threads of its backend, warmed up.

    One sentence moves lazy initialisation of libraries before the first request.
    """
    extractor = RelationExtractor.from_pretrained(
        folder,
        calibrator=calibrator,
        wanted_precision=wanted_precision,
        schema=schema,
        threads=threads,
        natural=natural,
    )
    if threads is not None and extractor.backend == "torch":
        import torch  # an exported classifier starts without it, in a fraction of the time

        torch.set_num_threads(threads)
    extractor(["<head>Ada</head> was born in <tail>London</tail>."])
    return extractor


def _exit_0(*_: object) -> NoReturn:
    """Exit with status 0 on SIGTERM or SIGINT."""
    raise SystemExit(0)


def _listening(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise PortError(f"cannot listen at {host}:{port}: {error.strerror}") from None
