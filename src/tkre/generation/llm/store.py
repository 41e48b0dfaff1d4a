"""The response store: every attempt at a request, appended to a JSON Lines file; its export.

A line is on disk before the next answer is taken, so a killed run loses no paid answer and, started
again, sends only missing requests. A line torn by the kill is skipped with a warning. Several
processes may append to one file.
"""

from __future__ import annotations

import codecs
import json
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from tkre.core.documents import decode_json
from tkre.core.errors import enumerated
from tkre.core.files import EncodingError, not_utf8
from tkre.generation.llm.lock import AnswerLock, changing
from tkre.generation.llm.pasted import read_pasted, responses_in
from tkre.generation.llm.protocol import Request, Response, vote_of
from tkre.generation.subjects import has_sentence

logger = logging.getLogger(__name__)
SHOWN = 5  # broken lines in a message; the rest is a number


class ResponseStore:
    """The attempts in one JSON Lines file.

    Args:
        path: The file, created by the first append; None keeps the attempts in memory.
        lock: Subjects of answers that do not name theirs.
    """

    def __init__(self, path: Path | None = None, lock: AnswerLock | None = None) -> None:
        self.path, self.lock = path, lock
        self._attempts: dict[str, list[Response]] = {}
        self._answers: dict[str, list[Response]] = {}  # by the digest of their request
        self._read_to = 0  # bytes of the file that are in memory
        self._lines = 0
        self._torn_at = -1  # start of an unfinished line that has been reported
        self.refresh()

    def __len__(self) -> int:
        return sum(len(attempts) for attempts in self._attempts.values())

    def all(self) -> list[Response]:
        """All attempts, grouped by request, oldest first."""
        return [attempt for attempts in self._attempts.values() for attempt in attempts]

    def attempts(self, request_id: str) -> list[Response]:
        """All attempts at a request, oldest first."""
        return list(self._attempts.get(request_id, ()))

    def find(self, request: Request, model: str, settings: str | None = None) -> Response | None:
        """The model's stored response to exactly this request, if there is one.

        The newest answer; without one, that to the same question about a sentence under another id,
        since text that is marked anew has other numbers; without one, the newest settled failure,
        since the same request would be paid for again.

        Args:
            request: The request.
            model: Name of the model.
            settings: Digest of its other settings: a failure with others is none of these. None
                takes every failure.
        """
        digest = request.digest(model)
        attempts = self.attempts(request.id)
        same = [a for a in reversed(attempts) if a.digest == digest and a.settled]
        failed = (a for a in same if settings is None or a.settings in (None, settings))
        return (
            next((a for a in same if a.answer is not None), None)
            or self._renumbered(request, digest)
            or next(failed, None)
        )

    def _renumbered(self, request: Request, digest: str) -> Response | None:
        """An answer to the same question about a sentence, which had another id when it was given.

        Rounds of synthesis and votes repeat a question for another answer: theirs are their own.
        """
        if not has_sentence(request.subject):
            return None
        answers = reversed(self._answers.get(digest, ()))
        found = (a for a in answers if vote_of(a.request_id) == vote_of(request.id))
        return next((replace(a, request_id=request.id) for a in found), None)

    def subject(self, response: Response) -> str | None:
        """What an answer was given to; None for one that has not been used yet."""
        known = response.subject
        return self.lock.subject(response) if known is None and self.lock else known

    def append(self, response: Response) -> None:
        """Appends an attempt; it is on disk when this returns."""
        if self.path is None:
            self._add(response)
            return
        line = json.dumps(response.to_dict(), ensure_ascii=False).encode(errors="replace") + b"\n"
        # After a kill in a write, the next process must see the torn line, and no other process may
        # write between the check and the append.
        with self._opened(self.path) as file:
            self.refresh()
            size = file.seek(0, os.SEEK_END)
            if size and not _ends_with_newline(file):
                line = b"\n" + line
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
            self._read_to = size + len(line)
        self._lines += line.count(b"\n")
        self._add(response)

    def _add(self, response: Response) -> None:
        self._attempts.setdefault(response.request_id, []).append(response)
        if response.digest and response.answer is not None:
            self._answers.setdefault(response.digest, []).append(response)

    def require_writable(self) -> None:
        """Opens the file as an append does: what cannot be stored must not be paid for."""
        if self.path is not None:
            with self._opened(self.path):
                pass

    @contextmanager
    def _opened(self, path: Path) -> Iterator[BinaryIO]:
        """The file, which no other process changes meanwhile."""
        file = path.resolve()  # a link may lead to a file that is still to be made
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with changing(file), file.open("ab+") as opened:
                yield opened
        except OSError as error:  # that of a full disk names no file
            raise OSError(error.errno, error.strerror, str(path)) from None

    def refresh(self) -> None:
        """Reads the lines that other processes have appended."""
        if self.path is None or not self.path.is_file():
            return
        with self.path.open("rb") as file:
            file.seek(self._read_to)
            content = file.read()
        if not self._read_to and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise EncodingError(f"{self.path} is UTF-16; save it as UTF-8")
        lines = content.split(b"\n")
        broken: dict[int, str] = {}
        unread: list[tuple[int, bytes]] = []  # neighbouring lines that are no record by themselves
        for number, line in enumerate(lines, start=self._lines + 1):
            if found := _responses(line):
                broken |= self._take_pasted(unread) | self._take(found, number)
                unread = []
            elif unread or line.strip():
                unread.append((number, line))
        broken |= self._take_pasted(unread)
        last = self._lines + len(lines)
        is_torn = last in broken
        if self._torn_at == self._read_to:
            broken.pop(self._lines + 1, None)  # reported before
        self._read_to += len(content)
        self._lines = last - 1
        if is_torn:
            # An unfinished last line is being written by another process, or torn by a kill. It is
            # read again once it is finished.
            self._read_to -= len(lines[-1])
            self._torn_at = self._read_to
            if last in broken:
                broken[last] = f"it has no end; {broken[last]}"
        if broken:
            self._report(broken)

    def _take_pasted(self, lines: list[tuple[int, bytes]]) -> dict[int, str]:
        """Adds the responses of lines that belong together; returns the problems of bad lines."""
        if not lines:
            return {}
        problems, texts = {}, []
        for number, line in lines:
            try:
                texts.append(line.decode("utf-8").lstrip("\ufeff"))
            except UnicodeDecodeError as error:
                problems[number] = not_utf8(error)
                texts.append("")
        pasted = read_pasted("\n".join(texts), lines[0][0])
        return problems | pasted.problems | self._take(pasted.responses)

    def _take(
        self, responses: Iterable[Response | str], number: int | None = None
    ) -> dict[int, str]:
        """Adds the responses of a line; returns its problem."""
        problems = {}
        for response in responses:
            if isinstance(response, str):
                problems[number or 0] = response
            else:
                self._add(replace(response, line=number or response.line))
        return problems

    def _report(self, broken: dict[int, str]) -> None:
        shown = [f"line {number} ({problem})" for number, problem in sorted(broken.items())]
        logger.warning(
            '%s: passed over %d line(s) that hold no {"request_id": ..., "response": ...}, '
            "written by hand or by a run that was killed: %s",
            self.path,
            len(broken),
            enumerated(shown, SHOWN, "; "),
        )


def _responses(line: bytes) -> list[Response | str]:
    """Responses of a line that is a JSON value by itself; empty for other lines."""
    try:
        value, end = decode_json(text := line.decode("utf-8").strip("\ufeff \t\r"), 0)
    except ValueError:
        return []
    return list(responses_in(value)) if end == len(text) else []


def _ends_with_newline(file: BinaryIO) -> bool:
    file.seek(-1, os.SEEK_END)
    return file.read(1) == b"\n"


def export_responses(store: ResponseStore, target: Path, model: str | None = None) -> list[str]:
    """Appends the newest settled response to every request to a file, for a replay elsewhere.

    Settled failures are included, since a replay repeats the attempts in order. Each line has the
    model, the backend with its version, and the time.

    Args:
        store: Store of a live run.
        target: File that is appended to; created if it does not exist.
        model: Export only responses of this model.

    Returns:
        Lines that describe the export, one per origin; empty if there was nothing to export.
    """
    newest = {
        (response.request_id, response.digest): response
        for response in sorted(store.all(), key=lambda r: r.answer is not None)
        if response.settled and response.digest and model in (None, response.model)
    }
    exported = ResponseStore(target)
    # Responses in the target: an answer is not added twice, and a failure does not replace one.
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
