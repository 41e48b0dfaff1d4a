"""The response store: every attempt at a request, appended to a JSON Lines file as it arrives.

What was paid for is never lost and never paid twice: a line is on disk before the next answer is
taken, so a run that is killed and started again asks for what is missing only. A line torn by the
kill is passed over and said. Several processes may append to one file.

A store for others: what a live run left, told where it came from.
"""

from __future__ import annotations

import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from tkre.generation.llm.protocol import Request, Response

logger = logging.getLogger(__name__)
SHOWN = 5  # broken lines in a message; the rest is a number


class ResponseStore:
    """The attempts in one file.

    Args:
        path: The file; it need not exist, its folder is made at the first append. None keeps
            the attempts in memory.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._attempts: dict[str, list[Response]] = {}
        self._read_to = 0  # bytes of the file that are in memory
        self._lines = 0
        self._torn_at = -1  # where a line without its end began that has been spoken of
        self.refresh()

    def __len__(self) -> int:
        return sum(len(attempts) for attempts in self._attempts.values())

    def all(self) -> list[Response]:
        """All attempts at all requests, those at one request together, oldest first."""
        return [attempt for attempts in self._attempts.values() for attempt in attempts]

    def attempts(self, request_id: str) -> list[Response]:
        """All attempts at a request, oldest first."""
        return list(self._attempts.get(request_id, ()))

    def find(self, request: Request, model: str) -> Response | None:
        """What the model has answered to exactly this request, if it has.

        The newest answer; failing that, the newest failure that is the model's own: it has been
        paid for, and the same question would be paid for again.
        """
        digest = request.digest(model)
        same = [a for a in reversed(self.attempts(request.id)) if a.digest == digest and a.settled]
        return next((a for a in same if a.answer is not None), same[0] if same else None)

    def append(self, response: Response) -> None:
        """Adds an attempt, on disk before this returns."""
        if self.path is None:
            self._attempts.setdefault(response.request_id, []).append(response)
            return
        line = json.dumps(response.to_dict(), ensure_ascii=False).encode() + b"\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # The lock is for a process that was killed in a write: whoever appends next must see the
        # torn end, and nobody may write between looking and appending.
        with FileLock(f"{self.path}.lock"):
            self.refresh()
            with self.path.open("ab+") as file:
                size = file.seek(0, os.SEEK_END)
                if size and not _ends_with_newline(file):
                    line = b"\n" + line
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
                self._read_to = size + len(line)
        self._lines += line.count(b"\n")
        self._attempts.setdefault(response.request_id, []).append(response)

    def refresh(self) -> None:
        """Takes in what other processes have appended."""
        if self.path is None or not self.path.is_file():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            content = file.read()
        whole, torn = content[: content.rfind(b"\n") + 1], content[content.rfind(b"\n") + 1 :]
        broken = []
        told = self._torn_at == self._read_to
        for number, line in enumerate(whole.split(b"\n")[:-1]):
            self._lines += 1
            problem = self._take(line)
            if problem is not None and not (told and number == 0):
                broken.append(f"line {self._lines} ({problem})")
        self._read_to += len(whole)
        # A last line without its end is another process's, not yet written, or torn by a kill. It
        # is not counted as read: once it has its end, it is looked at again.
        if torn and (problem := self._take(torn)) is None:
            self._read_to += len(torn)
        elif torn and self._torn_at != self._read_to:
            self._torn_at = self._read_to
            broken.append(f"line {self._lines + 1} (it has no end; {problem})")
        if broken:
            more = f" and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
            logger.warning(
                '%s: passed over %d line(s) that hold no {"request_id": ..., "response": ...}, '
                "written by hand or by a run that was killed: %s%s",
                self.path,
                len(broken),
                "; ".join(broken[:SHOWN]),
                more,
            )

    def _take(self, line: bytes) -> str | None:
        """Adds the response of a line; what is wrong with the line, if it holds none."""
        if not line.strip():
            return None
        try:
            response = Response.from_dict(json.loads(line.decode("utf-8", errors="replace")))
        except (json.JSONDecodeError, TypeError, AttributeError) as error:
            return str(error)
        self._attempts.setdefault(response.request_id, []).append(response)
        return None


def _ends_with_newline(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def export_responses(store: ResponseStore, target: Path, model: str | None = None) -> list[str]:
    """Adds to a store what a replay of another needs: the newest response to every question.

    Failures that were the model's own are among them, since a replay takes the same way through
    the attempts; what was never answered is not. Each line has the model, the backend with its
    version and the time, so the target says where it came from, whatever else it holds.

    Args:
        store: What a live run left.
        target: File that is added to; made if there is none. What it holds already stays.
        model: Only responses of this model.

    Returns:
        What was exported, in words, a line per origin; empty if there was nothing.
    """
    newest = {
        (response.request_id, response.digest): response
        for response in sorted(store.all(), key=lambda r: r.answer is not None)
        if response.settled and response.digest and model in (None, response.model)
    }
    exported = ResponseStore(target)
    # What is there already: an answer is not added again, and a failure does not stand in for one.
    held = {
        (response.request_id, response.digest, response.answer is not None)
        for response in exported.all()
        if response.settled
    }
    added = [
        response
        for key, response in newest.items()
        if not {(*key, True), (*key, response.answer is not None)} & held
    ]
    for response in added:
        exported.append(response)
    if not newest:
        return []
    there = len(newest) - len(added)
    return [
        f"{target}: {len(added)} responses added, {there} were there",
        *_origins(list(newest.values())),
    ]


def _origins(responses: Sequence[Response]) -> list[str]:
    counts = Counter((r.model, r.source) for r in responses)
    lines = []
    for (model, source), n in counts.most_common():
        times = sorted(
            r.finished for r in responses if r.finished and (r.model, r.source) == (model, source)
        )
        span = f", {times[0]} to {times[-1]}" if times else ""
        lines.append(f"  {n} of {model} by {source}{span}")
    return lines
