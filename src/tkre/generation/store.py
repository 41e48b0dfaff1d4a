"""The response store: every attempt at a request, appended to a JSON Lines file as it arrives.

What was paid for is never lost and never paid twice: a line is written with one system call and
flushed to disk before the next request is answered, so a run that is killed and started again asks
for what is missing only. A line torn by the kill is passed over and said.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from pathlib import Path

from tkre.generation.protocol import Request, Response

logger = logging.getLogger(__name__)


class ResponseStore:
    """The attempts in one file.

    Args:
        path: The file; it need not exist, its folder is made at the first append. None keeps
            the attempts in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._attempts: dict[str, list[Response]] = {}
        self._ends_torn = False
        if path is not None and path.is_file():
            self._read(path)

    def __len__(self) -> int:
        return sum(len(attempts) for attempts in self._attempts.values())

    def attempts(self, request_id: str) -> list[Response]:
        """All attempts at a request, oldest first."""
        return list(self._attempts.get(request_id, ()))

    def find(self, request: Request, model: str) -> Response | None:
        """The newest answer to exactly this request; failures do not count."""
        digest = request.digest(model)
        answers = (a for a in reversed(self.attempts(request.id)) if a.answer is not None)
        return next((a for a in answers if a.digest == digest), None)

    def append(self, response: Response) -> None:
        """Adds an attempt, on disk before this returns."""
        self._attempts.setdefault(response.request_id, []).append(response)
        if self.path is None:
            return
        line = json.dumps(response.to_dict(), ensure_ascii=False) + "\n"
        if self._ends_torn:
            line, self._ends_torn = "\n" + line, False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # One write to a file opened for appending: two processes do not mix their lines.
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, line.encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read(self, path: Path) -> None:
        content = path.read_text(encoding="utf-8", errors="replace")
        self._ends_torn = bool(content) and not content.endswith("\n")
        broken = Counter[str]()
        for number, line in enumerate(content.split("\n"), start=1):
            if not line.strip():
                continue
            try:
                response = Response.from_dict(json.loads(line))
            except (json.JSONDecodeError, TypeError, AttributeError) as error:
                broken[f"line {number} ({error})"] += 1
                continue
            self._attempts.setdefault(response.request_id, []).append(response)
        if broken:
            logger.warning(
                "%s: passed over %d line(s) that hold no response, as a killed run leaves them: %s",
                path,
                len(broken),
                "; ".join(list(broken)[:5]),
            )
