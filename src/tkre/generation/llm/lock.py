"""What recorded answers were given to, where they do not say it: a file beside the recordings.

It is written at the first use of an answer, and holds for the corpus of that day. An answer is
known by its request id and its content, so that one that is appended later is bound by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from filelock import FileLock

from tkre.core.documents import parse_json
from tkre.core.errors import UserError
from tkre.core.files import write_whole
from tkre.core.provenance import digest_of
from tkre.generation.llm.protocol import Response

LOCK_FILE = "answers.lock.json"
_LENGTH = 12  # characters of a digest of an answer
Bound = dict[str, dict[str, str]]  # subjects by request id and digest of the answer


class AnswerLockError(UserError, ValueError):
    """An unreadable lock file; the message names it."""


class AnswerLock:
    """Subjects of recorded answers, by the digest of the corpus that they were bound with.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._by_corpus = self._read()

    def subject(self, response: Response) -> str | None:
        """Subject that an answer is bound to; None for an answer that has not been used yet."""
        answer = answer_digest(response)
        found = (bound.get(response.request_id, {}) for bound in self._by_corpus.values())
        return next((subjects[answer] for subjects in found if answer in subjects), None)

    def bind(self, answers: Iterable[tuple[Response, str]], corpus: str) -> None:
        """Writes down answers that are not bound yet, with their subjects.

        Args:
            answers: Answers with their subjects as of now.
            corpus: Digest of the corpus as of now.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with changing(self.path):
            self._by_corpus = self._read()  # another process may have bound some
            bound = self._by_corpus.setdefault(corpus, {})
            for response, subject in answers:
                if self.subject(response) is None:
                    bound.setdefault(response.request_id, {})[answer_digest(response)] = subject
            text = json.dumps(self._by_corpus, indent=0, sort_keys=True, ensure_ascii=False)
            write_whole(self.path, f"{text}\n")

    def _read(self) -> dict[str, Bound]:
        try:
            content = parse_json(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise AnswerLockError(self._message(str(error))) from None
        if not _is_lock(content):
            raise AnswerLockError(self._message("it is no object of digests"))
        return content

    def _message(self, problem: str) -> str:
        return (
            f"{self.path} is damaged ({problem}); restore it, or delete it if all recorded answers "
            "belong to the corpus as it is now"
        )


def changing(file: Path) -> FileLock:
    """The lock that a process holds while it changes a file of answers; a link has its file's."""
    return FileLock(f"{file.resolve()}.lock")


def _is_lock(content: Any) -> bool:
    """Whether a value is made of texts in objects of three levels."""
    levels = [content]
    for _ in range(3):
        if not all(isinstance(level, dict) for level in levels):
            return False
        levels = [value for level in levels for value in level.values()]
    return all(isinstance(value, str) for value in levels)


def answer_digest(response: Response) -> str:
    """Digest of what an answer holds."""
    given = response.text if response.answer is None else response.answer
    return digest_of(given)[:_LENGTH]
