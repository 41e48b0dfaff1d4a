"""What is refused before it is read, and what every answer says of itself."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from fastapi import HTTPException
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A client that is still sending does not see an answer if the connection is closed under it: so
# much of the rest is thrown away before, for so long.
LINGER_BYTES, LINGER_SECONDS = 32 * 1024 * 1024, 2.0
# Nothing is guessed at, and nothing comes from another host. (The page of the documentation has a
# script and a style of its own in it.)
SAFE = {
    "x-content-type-options": "nosniff",
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; "
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:"
    ),
}


class Gate:
    """ASGI middleware that answers 413 to a body beyond a limit, 415 to one that is not plain JSON.

    A length that is announced is judged by the announcement; a body in chunks is counted as it
    comes, and no more than the limit is ever in memory.

    Args:
        app: What is behind it.
        max_bytes: The limit.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def safe(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SAFE)
            await send(message)

        headers = Headers(scope=scope)
        announced = headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > self._max:
            await _refuse(413, self._reason, receive, safe)
        elif scope["method"] == "POST" and not _is_json(headers):
            await _refuse(415, "the header must say Content-Type: application/json", receive, safe)
        elif scope["method"] == "POST" and _is_compressed(headers):
            await _refuse(415, "a compressed body is not read: send it as it is", receive, safe)
        else:
            await self._app(scope, self._counted(receive), safe)

    @property
    def _reason(self) -> str:
        return f"the body is longer than {self._max} bytes: send fewer sentences at a time"

    def _counted(self, receive: Receive) -> Receive:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._max:
                raise HTTPException(413, self._reason, {"Connection": "close"})
            return message

        return counted


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind[-5:] == "+json")


def _is_compressed(headers: Headers) -> bool:
    return headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")


async def _refuse(status: int, reason: str, receive: Receive, send: Send) -> None:
    body = json.dumps({"detail": reason, "problems": []}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with suppress(TimeoutError):  # who is slow has had the time to see the answer
        await asyncio.wait_for(_discard(receive), LINGER_SECONDS)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _discard(receive: Receive) -> None:
    thrown = 0
    while thrown < LINGER_BYTES:
        message = await receive()
        thrown += len(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            return
