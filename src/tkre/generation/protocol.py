"""What is said to a language model and what comes back: the one protocol behind every backend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from tkre.params import Params


class Sampling(Params):
    """How a language model draws its answer.

    Attributes:
        temperature: 0 is greedy.
        top_p: Nucleus of the distribution that is drawn from.
        max_tokens: Longest answer, in tokens.
        seed: For backends that take one; equal seeds do not promise equal text.
    """

    temperature: float = 0.7
    top_p: float = 0.95
    max_tokens: int = 1024
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
    """

    id: str
    messages: tuple[dict[str, str], ...]
    schema: dict[str, Any] = field(hash=False)
    sampling: Sampling

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


@dataclass(frozen=True)
class Response:
    """An answer, or the reason why there is none.

    Attributes:
        request_id: Which question.
        answer: The JSON object that came back; None on failure.
        error: Why there is no answer; None on success.
        text: What came back word for word, where it is not a JSON object.
        digest: Of the request; None in a store that was written without (recordings).
        model: Name of the model; None likewise.
        prompt_tokens: Length of the question in tokens, if the backend tells.
        completion_tokens: Length of the answer in tokens, likewise.
        seconds: Time the answer took, likewise.
    """

    request_id: str
    answer: dict[str, Any] | None = None
    error: str | None = None
    text: str | None = None
    digest: str | None = None
    model: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float | None = None

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
        known = {k: v for k, v in record.items() if k in cls.__dataclass_fields__}
        answer = record.get("response")
        if answer is not None and not isinstance(answer, dict):
            raise TypeError(f"response must be a JSON object, not {type(answer).__name__}")
        return cls(**known, answer=answer)


class LanguageModel(Protocol):
    """A language model as the pipelines see it; every backend is one.

    Attributes:
        name: Which model it is; part of every request's digest.
    """

    name: str

    def generate(self, requests: Sequence[Request]) -> Iterator[Response]:
        """The response to each request, in any order, as soon as it is there.

        A request that fails gives a response with an ``error``: one bad row never costs the
        others.
        """
        ...

    def can_answer(self, request: Request) -> bool:
        """Whether asking makes sense: False for a replay that does not hold the answer."""
        ...
