"""A real HTTP server that speaks chat completions and fails on demand, for the tests of clients."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]


@dataclass
class Reply:
    """What the server does with one request.

    Attributes:
        content: Text of the completion.
        status: HTTP status; the content is the message of an error, unless it is 200.
        headers: Of the answer.
        delay: Seconds before it answers.
        cut: Whether the connection is closed in the middle of the body.
        raw: The whole body, word for word, instead of a completion.
        finish: ``finish_reason``.
        tokens: Length of the completion, as the server tells it.
        code: Of an error.
        refusal: Of the message.
        reasoning: ``reasoning_content`` of the message, as servers of thinking models give it.
    """

    content: str | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    raw: str | None = None
    finish: str = "stop"
    tokens: int = 7
    code: str | None = None
    refusal: str | None = None
    reasoning: str | None = None


def completion(reply: Reply) -> Body:
    message = {"role": "assistant", "content": reply.content, "refusal": reply.refusal}
    message |= {"reasoning_content": reply.reasoning} if reply.reasoning else {}
    return {
        "id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{"index": 0, "finish_reason": reply.finish, "message": message}],
        "usage": {"prompt_tokens": 11, "completion_tokens": reply.tokens,
                  "total_tokens": 11 + reply.tokens},
    }  # fmt: skip


class ChatServer:
    """Answers each request as a function says; remembers what it was sent, and how many at once."""

    def __init__(self, reply: Callable[[Body, int], Reply]) -> None:
        self._reply = reply
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._under_way = 0
        self.models = Reply(raw='{"data": []}')
        self.most_at_once = 0
        self.received: list[Body] = []
        self.keys: list[str | None] = []
        self.times: list[float] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer._answer(self, outer.models)

            def do_POST(self) -> None:
                outer._handle(self)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                pass  # clients are killed, and cut off, on purpose

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["Content-Length"])
        body = json.loads(handler.rfile.read(length))
        with self._lock:
            number = sum(b["messages"] == body["messages"] for b in self.received)
            self.received.append(body)
            self.keys.append(handler.headers["Authorization"])
            self.times.append(time.monotonic())
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            self._answer(handler, self._reply(body, number))
        finally:
            with self._lock:
                self._under_way -= 1

    def _answer(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        self._stopped.wait(reply.delay)
        if reply.raw is not None:
            text = reply.raw
        elif reply.status == 200:
            text = json.dumps(completion(reply))
        else:
            text = json.dumps({"error": {"message": reply.content, "code": reply.code}})
        sent = text.encode()
        handler.send_response(reply.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(sent)))
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(sent[: len(sent) // 2] if reply.cut else sent)
        if reply.cut:
            handler.close_connection = True
