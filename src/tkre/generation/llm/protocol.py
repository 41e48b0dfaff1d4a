"""Requests, responses, and the protocols that every language model backend implements."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as dataclass_field
from typing import Any, Protocol

from pydantic import Field

from tkre.core.documents import shown
from tkre.core.errors import UserError
from tkre.core.params import Params

# Failures without an answer and without costs: another run sends the same request again. Any other
# failure is the model's answer to this request.
UNANSWERED = frozenset(
    {"unreachable", "timed_out", "rate_limited", "server_error", "context_exceeded"}
)
_VOTE = re.compile(r"/vote-\d+$")


class Sampling(Params):
    """Sampling parameters of a request.

    Attributes:
        temperature: Softmax temperature; 0 is greedy.
        top_p: Probability mass of nucleus sampling.
        max_tokens: Longest answer, in tokens.
        seed: Seed for backends that accept one; equal seeds do not guarantee equal text.
    """

    temperature: float = Field(0.7, ge=0, le=2)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(1024, gt=0)
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """One request to a language model.

    Attributes:
        id: Name of the subject, independent of the wording:
            ``explanation/<corpus>/<instance id>``,
            ``synthesis/<corpus>/<relation>/seed-<seed>/round-<r>``,
            ``annotation/<corpus>/<instance id>`` or
            ``classification/<corpus>/seed-<seed>/<instance id>``.
        messages: Chat messages, each with ``role`` and ``content``.
        schema: JSON schema that the answer must satisfy.
        sampling: Sampling parameters.
        attempt: Number of earlier attempts, whose messages or sampling differ; not part of the
            digest.
        subject: Digest of what it is about (``generation.subjects``); not part of the digest.
    """

    id: str
    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any] = dataclass_field(hash=False)
    sampling: Sampling
    attempt: int = 0
    subject: str = ""

    def digest(self, model: str) -> str:
        """SHA-256 of the messages, model, sampling and schema.

        An answer belongs to a digest: another digest under the same id is another question.
        """
        content = {
            "messages": self.messages,
            "model": model,
            "sampling": self.sampling.model_dump(),
            "schema": self.schema,
        }
        canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(canonical.encode()).hexdigest()

    def seed(self, model: str) -> int:
        """A 31-bit seed from the id and the digest of the request.

        A common seed would draw the same random numbers for similar requests.
        """
        named = f"{self.id}\n{self.digest(model)}"
        return int.from_bytes(hashlib.sha256(named.encode()).digest()[:4]) >> 1


def vote_of(request_id: str) -> str:
    """The end of the id of a further vote, ``/vote-2``; empty for a first one."""
    found = _VOTE.search(request_id)
    return found[0] if found else ""


@dataclass(frozen=True)
class Response:
    """An answer, or the reason of a failure.

    Attributes:
        request_id: Id of the request.
        answer: The JSON object; None on failure.
        reason: Key that failures are counted by; None on success.
        error: Full message of a failure.
        text: Raw text of an answer that is not used, or, without a reason, is still to be parsed.
        digest: Digest of the request; None in recordings without digests.
        subject: Digest of what the request was about; None in recordings without it.
        model: Name of the model; None in recordings without it.
        settings: Digest of the model's other settings, as ``reasoning_tokens``; None without them.
        source: Backend and version, e.g. ``vllm 0.33.0``.
        finished: Time in UTC, as ISO 8601.
        prompt_tokens: Length of the request in tokens, if known.
        completion_tokens: Length of the answer in tokens, if known.
        seconds: Seconds from the request to the answer, waiting time included.
        tries: Number of times that the backend sent the request.
        line: Line of the file that it was read from; not stored.
    """

    request_id: str
    answer: dict[str, Any] | None = None
    reason: str | None = None
    error: str | None = None
    text: str | None = None
    digest: str | None = None
    subject: str | None = None
    model: str | None = None
    settings: str | None = None
    source: str | None = None
    finished: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    tries: int | None = None
    line: int | None = dataclass_field(default=None, compare=False)

    @property
    def settled(self) -> bool:
        """Whether the model has answered, usably or not: a repetition would be paid for again."""
        return self.reason not in UNANSWERED

    @property
    def unparsed(self) -> bool:
        """Whether it is a recorded text whose schema is known with its request."""
        return self.answer is None and self.reason is None and self.text is not None

    @property
    def failure(self) -> tuple[str, str] | None:
        """Reason and message of a failure; None on success."""
        if self.answer is not None:
            return None
        return self.reason or "no_answer", self.error or "no answer"

    def to_dict(self) -> dict[str, Any]:
        """Record of a response store: the answer under ``response``, without empty fields."""
        record = {key: value for key, value in asdict(self).items() if value is not None}
        record.pop("line", None)
        if "answer" in record:
            record["response"] = record.pop("answer")
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Response:
        """Parses a record of a store; ignores unknown keys.

        Raises:
            TypeError: ``request_id`` is missing, the answer is not a JSON object, or another field
                is of a wrong kind.
        """
        fields = cls.__dataclass_fields__.keys() - {"answer"}
        known = {key: value for key, value in record.items() if key in fields}
        if problem := wrong_kind(known):
            raise TypeError(problem)
        answer = record.get("response")
        if answer is not None and not isinstance(answer, dict):
            raise TypeError(f"response must be a JSON object, not {type(answer).__name__}")
        return cls(**known, answer=answer)


_NUMBERS: dict[str, tuple[type, ...]] = {
    "prompt_tokens": (int,), "completion_tokens": (int,), "tries": (int,), "line": (int,),
    "seconds": (int, float),
}  # fmt: skip


def wrong_kind(fields: dict[str, Any]) -> str | None:
    """The first field of a response, but for the answer, that holds another kind of value."""
    for name, value in fields.items():
        wanted = _NUMBERS.get(name, (str,))
        if value is not None and (isinstance(value, bool) or not isinstance(value, wanted)):
            kind = "a text" if wanted == (str,) else "a number"
            return f"{name} must be {kind}, not {shown(value)}"
    return None


class LanguageModelError(UserError, RuntimeError):
    """A language model that cannot be used at all; the message says why and how to fix it."""


class LanguageModel(Protocol):
    """A language model as pipelines use it.

    Attributes:
        name: Name of the model, part of every request's digest.
    """

    name: str

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Yields the response to each request as soon as it arrives, in any order.

        A failed request yields a response with a ``reason`` and does not affect the others.

        Raises:
            LanguageModelError: No request can be answered.
        """
        ...

    def holds(self, request: Request) -> bool:
        """Whether a response is stored."""
        ...

    def can_answer(self, request: Request) -> bool:
        """Whether a request can be answered: False for a replay without a stored response."""
        ...


class LiveModel(Protocol):
    """A running language model: started by its first request, closed by its owner.

    ``CachedModel`` turns it into a ``LanguageModel``.

    Attributes:
        name: Name of the model.
        source: Backend and version, known after the first response.
    """

    name: str
    source: str

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Yields responses (``LanguageModel.generate``)."""
        ...

    def check(self) -> None:
        """Refuses settings that are bound to fail, without starting the model.

        Raises:
            LanguageModelError: A package, file or key is missing.
        """
        ...

    def count_tokens(self, requests: Sequence[Request]) -> list[int] | None:
        """Length of each request in tokens, without sending it; None if unknown."""
        ...

    def close(self) -> None:
        """Releases processes, memory and connections; has no effect before the start."""
        ...


def attempts_by_request(responses: Iterable[Response]) -> dict[str, list[Response]]:
    """The attempts at each request, oldest first."""
    attempts: dict[str, list[Response]] = {}
    for response in responses:
        attempts.setdefault(response.request_id, []).append(response)
    return attempts
