"""Estimate of the requests, tokens and cost of a run, before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tkre.generation.llm.protocol import Request, Response

# English text in the tokenizers of today's large language models, about; used where no tokenizer
# is at hand.
CHARACTERS_PER_TOKEN = 4
CountTokens = Callable[[Sequence[Request]], Sequence[int] | None]


@dataclass(frozen=True)
class Estimate:
    """Estimate of the first attempts of one kind of request.

    Attributes:
        kind: First part of the request ids: ``explanation``, ``synthesis``, ``annotation`` or
            ``classification``.
        requests: Number of different requests of the run.
        stored: Number of requests with a stored response.
        asked: Number of requests that would be sent.
        prompt_tokens: Length of the requests to send, in tokens.
        counted: Whether the model's tokenizer counted them; if not, estimated from characters.
        completion_tokens: Expected length of the answers, in tokens.
        basis: Basis of the expected length, in words.
        limit: Largest length of the answers, in tokens.
    """

    kind: str
    requests: int
    stored: int
    asked: int
    prompt_tokens: int
    counted: bool
    completion_tokens: int
    basis: str
    limit: int


def estimate(
    requests: Sequence[Request],
    missing: Sequence[Request],
    known: Sequence[Response],
    count: CountTokens,
    reasoning: int = 0,
) -> list[Estimate]:
    """Estimates of the requests to send, by kind.

    Args:
        requests: All first attempts; a request that several cells share counts once.
        missing: The requests that would be sent.
        known: Stored responses, for the length of answers.
        count: Returns the length of requests in tokens, or None if unknown.
        reasoning: Tokens that an answer may take beside its own, for reasoning.
    """
    estimates = []
    for kind in sorted({_kind(request.id) for request in requests}):
        planned = [r for r in requests if _kind(r.id) == kind]
        sent = [r for r in missing if _kind(r.id) == kind]
        lengths = count(sent)
        characters = sum(len(m["content"]) for request in sent for m in request.messages)
        prompts = characters // CHARACTERS_PER_TOKEN if lengths is None else sum(lengths)
        expected, basis = _expected([r for r in known if _kind(r.request_id) == kind])
        limit = sum(request.sampling.max_tokens + reasoning for request in sent)
        answers = limit if expected is None else min(limit, round(expected * len(sent)))
        estimates.append(
            Estimate(
                kind=kind,
                requests=len(planned),
                stored=len(planned) - len(sent),
                asked=len(sent),
                prompt_tokens=prompts,
                counted=lengths is not None,
                completion_tokens=answers,
                basis=basis,
                limit=limit,
            )
        )
    return estimates


def cost(estimates: Sequence[Estimate], prices: Mapping[Any, float]) -> float:
    """Price of the requests to send, in the currency of the prices per million tokens."""
    return (
        sum(e.prompt_tokens for e in estimates) * prices.get("prompt", 0.0)
        + sum(e.completion_tokens for e in estimates) * prices.get("completion", 0.0)
    ) / 1e6


def _expected(known: Sequence[Response]) -> tuple[float | None, str]:
    """Mean length of an answer in tokens, and its basis in words."""
    counted = [r.completion_tokens for r in known if r.completion_tokens is not None]
    if counted:
        return sum(counted) / len(counted), f"mean of {len(counted)} stored answers"
    written = [len(json.dumps(r.answer, ensure_ascii=False)) for r in known if r.answer is not None]
    if written:
        mean = sum(written) / len(written) / CHARACTERS_PER_TOKEN
        return mean, f"letters of {len(written)} recorded answers"
    return None, "the most they may take, since none is known"


def _kind(request_id: str) -> str:
    return request_id.partition("/")[0]
