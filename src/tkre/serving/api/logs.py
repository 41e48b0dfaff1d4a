"""One line of JSON for each request, without anything that a user wrote."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
import uuid
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("tkre.serving.api")


class JsonLines(logging.Formatter):
    """Log records as lines of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The line: time, level, event, and the fields that were given with it.

        A traceback stays out: messages of exceptions may quote what a user wrote.
        """
        when = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": when, "level": record.levelname.lower(), "event": record.getMessage()}
        return json.dumps(line | getattr(record, "fields", {}))


def configure_logs() -> None:
    """Lines of JSON on standard error, the server's own among them."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    for name in ("tkre", "uvicorn"):
        named = logging.getLogger(name)
        named.handlers, named.propagate = [handler], False
        named.setLevel(logging.INFO)


def log(event: str, level: int = logging.INFO, **fields: Any) -> None:
    """Writes one line.

    Args:
        event: What happened.
        level: Of the logging module.
        **fields: What else to say; nothing that a user wrote.
    """
    logger.log(level, event, extra={"fields": fields})


class RequestLog:
    """ASGI middleware that logs every request and answers for defects.

    The path is that of the route, not the one that was asked for, which may hold text. A defect
    is logged by its type and place; the client is told its number alone.

    Args:
        app: What is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, begun, status = uuid.uuid4().hex, time.perf_counter(), 0
        scope.setdefault("state", {})["request_id"] = request_id

        async def marked(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                named = (b"x-request-id", request_id.encode())
                message["headers"] = [*message.get("headers", []), named]
            await send(message)

        try:
            await self._app(scope, receive, marked)
        except Exception as error:
            _log_defect(error, request_id)
            if not status:
                told = {"detail": "the service failed", "problems": [], "request_id": request_id}
                await JSONResponse(told, 500)(scope, receive, marked)
        log(
            "request",
            request_id=request_id,
            method=scope["method"] if scope["method"] in _METHODS else "other",
            path=getattr(scope.get("route"), "path", None),
            status=status,
            milliseconds=round(1000 * (time.perf_counter() - begun), 1),
            **scope["state"].get("logged", {}),
        )


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _log_defect(error: Exception, request_id: str) -> None:
    frames = traceback.extract_tb(error.__traceback__)
    log(
        "defect",
        logging.ERROR,
        request_id=request_id,
        type=type(error).__name__,
        at=[f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    )
