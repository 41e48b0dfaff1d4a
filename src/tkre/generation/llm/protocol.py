"""What is said to a language model and what comes back: the one protocol behind every backend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from dataclasses import field as dataclass_field
from typing import Any, Protocol

from pydantic import Field

from tkre.core.params import Params

# Failures for which no answer was given and nothing was paid: the same question is worth asking
# again in another run. Any other failure is what the model answers to this very question.
UNANSWERED = frozenset({"unreachable", "timed_out", "rate_limited", "server_error"})


class Sampling(Params):
    """How a language model draws its answer.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus of the distribution that is drawn from.
        max_tokens: Longest answer, in tokens.
        seed: For backends that take one; equal seeds do not promise equal text.
    """

    temperature: float = Field(0.7, ge=0, le=2)
    top_p: float = Field(0.95, gt=0, le=1)
    max_tokens: int = Field(1024, gt=0)
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """One question to a language model.

    Attributes:
        id: Names what is asked, not how: ``explanation/<corpus>/<instance id>`` or
            ``synthesis/<corpus>/<relation>/seed-<seed>/round-<r>``.
        messages: Chat messages, each with ``role`` and ``content``.
        schema: JSON schema that the answer must satisfy.
        sampling: How the answer is drawn.
        attempt: How often the same thing has been asked before, in other ways; not part of the
            digest, which these other ways change.
    """

    id: str
    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any] = dataclass_field(hash=False)
    sampling: Sampling
    attempt: int = 0

    def digest(self, model: str) -> str:
        """SHA-256 of everything that decides the answer, but for chance.

        Two requests of one id with different digests are different questions: an answer to one
        is not an answer to the other.
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
        """A 31-bit seed of its own for every request, decided by its id and digest.

        One seed for all would draw the same random numbers for requests that differ little.
        """
        named = f"{self.id}\n{self.digest(model)}"
        return int.from_bytes(hashlib.sha256(named.encode()).digest()[:4]) >> 1


@dataclass(frozen=True)
class Response:
    """An answer, or the reason why there is none.

    Attributes:
        request_id: Which question.
        answer: The JSON object that came back; None on failure.
        reason: Why there is no answer, in one of few words that counts are made by; None on
            success.
        error: The same in full.
        text: What came back word for word, where it is not used.
        digest: Of the request; None in a store that was written without (recordings).
        model: Name of the model; None likewise.
        source: The backend that asked it, with its version, e.g. ``vllm 0.33.0``.
        finished: When, in UTC, as ISO 8601.
        prompt_tokens: Length of the question in tokens, if the backend tells.
        completion_tokens: Length of the answer in tokens, likewise.
        seconds: From asking to the answer, waiting for others included.
        tries: How often the backend sent it, where it retries by itself.
    """

    request_id: str
    answer: dict[str, Any] | None = None
    reason: str | None = None
    error: str | None = None
    text: str | None = None
    digest: str | None = None
    model: str | None = None
    source: str | None = None
    finished: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None
    tries: int | None = None

    @property
    def settled(self) -> bool:
        """Whether the model has spoken, well or badly: asking the same again pays twice."""
        return self.reason not in UNANSWERED

    @property
    def failure(self) -> tuple[str, str] | None:
        """Why there is no answer, if there is none: a reason to count by, and what exactly."""
        if self.answer is not None:
            return None
        return self.reason or "no_answer", self.error or "no answer"

    def to_dict(self) -> dict[str, Any]:
        """A line of a response store: ``response`` holds the answer, empty fields are left out."""
        record = {key: value for key, value in asdict(self).items() if value is not None}
        if "answer" in record:
            record["response"] = record.pop("answer")
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Response:
        """The response on a line of a store; keys it does not know are ignored.

        Raises:
            TypeError: ``request_id`` is missing, or the answer is no JSON object.
        """
        fields = cls.__dataclass_fields__.keys() - {"answer"}
        known = {key: value for key, value in record.items() if key in fields}
        answer = record.get("response")
        if answer is not None and not isinstance(answer, dict):
            raise TypeError(f"response must be a JSON object, not {type(answer).__name__}")
        return cls(**known, answer=answer)


class LanguageModelError(RuntimeError):
    """A language model that cannot be asked at all; the message says why and the way out."""


class LanguageModel(Protocol):
    """A language model as the pipelines see it; every backend is one.

    Attributes:
        name: Which model it is; part of every request's digest.
    """

    name: str

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """The response to each request, in any order, as soon as it is there.

        A request that fails gives a response with a ``reason``: one bad row never costs the
        others.

        Raises:
            LanguageModelError: None can be answered.
        """
        ...

    def holds(self, request: Request) -> bool:
        """Whether it has a response without asking anybody."""
        ...

    def can_answer(self, request: Request) -> bool:
        """Whether asking makes sense: False for a replay that does not hold the answer."""
        ...


class LiveModel(Protocol):
    """A language model that runs: it is started at the first question and must be closed.

    ``CachedModel`` makes a ``LanguageModel`` of it.

    Attributes:
        name: Which model it is.
        source: The backend and its version, once it has answered.
    """

    name: str
    source: str

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """As that of a ``LanguageModel``."""
        ...

    def check(self) -> None:
        """Refuses, at no cost, settings that are bound to fail.

        Raises:
            LanguageModelError: A package, file or key is missing.
        """
        ...

    def count_tokens(self, requests: Sequence[Request]) -> list[int] | None:
        """Length of each question in tokens, without asking; None if nobody here can tell."""
        ...

    def close(self) -> None:
        """Gives back what it holds (processes, memory, connections); harmless when not started."""
        ...


def attempts_by_request(responses: Iterable[Response]) -> dict[str, list[Response]]:
    """The attempts at each request, oldest first."""
    attempts: dict[str, list[Response]] = {}
    for response in responses:
        attempts.setdefault(response.request_id, []).append(response)
    return attempts
