"""Access log: one line of JSON per request, without text of users."""

from __future__ import annotations

import logging
import sys
import time
import traceback
import uuid
from typing import Any

from pythonjsonlogger.json import JsonFormatter
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("tkre.serving.api")

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# The page of the documentation has inline scripts and styles; nothing comes from another host.
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    ),
}


class JsonLines(JsonFormatter):
    """Log records as lines of JSON: time (UTC), level, event, and the record's extra fields."""

    def __init__(self) -> None:
        super().__init__(
            "{levelname}{message}",
            style="{",
            timestamp="time",
            rename_fields={"levelname": "level", "message": "event"},
            reserved_attrs=[*vars(logging.makeLogRecord({})), "message", "color_message"],
        )

    def formatException(self, ei: Any) -> str:
        """The type alone: messages of exceptions may quote text of users."""
        return str(ei[0].__name__)


def configure_logs() -> None:
    """Send records of the service and of its server to standard error, as lines of JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("tkre", "uvicorn"):
        named = logging.getLogger(name)
        named.handlers, named.propagate = [handler], False
        named.setLevel(logging.INFO)


def log(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Write one line.

    Args:
        event: Name of the event.
        level: Level of the logging module.
        **fields: More fields; no text of users.
    """
    logger.log(level, event, extra=fields)


class RequestLog:
    """ASGI middleware that logs every request and answers 500 for unexpected exceptions.

    The path is that of the route, since the requested one may hold text. An exception is logged by
    its type and place; the client gets the request's id alone.

    Args:
        app: Application behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, begun, status = uuid.uuid4().hex, time.perf_counter(), 0
        state = scope.setdefault("state", {})

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message).update(
                    {"x-request-id": request_id} | SECURITY_HEADERS
                )
            await send(message)

        try:
            await self._app(scope, receive, marked)
        except Exception as error:
            _log_defect(error, request_id)
            if not status:
                answer = {"detail": "the service failed", "request_id": request_id}
                await JSONResponse(answer, 500)(scope, receive, marked)
        log(
            "request",
            request_id=request_id,
            method=scope["method"] if scope["method"] in _METHODS else "other",
            path=getattr(scope.get("route"), "path", None),
            status=status,
            milliseconds=round(1000 * (time.perf_counter() - begun), 1),
            **state.get("logged", {}),
        )


def _log_defect(error: Exception, request_id: str) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    log(
        "defect",
        logging.ERROR,
        request_id=request_id,
        type=type(error).__name__,
        at=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    )
