"""Bounded retries of requests whose answer is not usable.

A model repeats a truncated or malformed answer to the same request at a low temperature. The next
attempt has a larger token budget, another temperature and another order of demonstrations.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tkre.core.progress import track
from tkre.generation.llm.protocol import LanguageModel, Request, Response, Sampling
from tkre.generation.params import RetryParams

# Failures that neither a larger budget nor another temperature can repair.
HOPELESS = frozenset({"prompt_too_long", "context_full"})
# Why an answer that satisfies its schema is not usable; None for a usable one.
Check = Callable[[str, dict[str, Any]], object | None]
# The request of a later attempt, from the first one and the number of the attempt.
Rephrase = Callable[[Request, int], Request]


def generate_with_retries(
    model: LanguageModel,
    requests: Sequence[Request],
    params: RetryParams,
    *,
    name: str,
    rephrase: Rephrase = lambda first, attempt: first,
    check: Check = lambda request_id, answer: None,
) -> Iterator[Response]:
    """Yields every response as it arrives; the last response to a request is its result.

    Args:
        model: The language model.
        requests: First attempts.
        params: Number of attempts, and how sampling changes between them.
        name: Label of the progress bar.
        rephrase: Makes the request of a later attempt; its sampling is changed afterwards.
        check: Returns a reason if an answer cannot be used.
    """
    waiting = {request.id: request for request in requests}
    for attempt in range(params.attempts):
        if attempt:
            waiting = {
                request.id: later
                for request in requests
                if request.id in waiting
                and model.can_answer(
                    later := _with_later_sampling(rephrase(request, attempt), attempt, params)
                )
            }
        if not waiting:
            return
        label = f"{name}, attempt {attempt + 1}" if attempt else name
        asked = list(waiting.values())
        for response in track(model.generate(asked), label, total=len(asked)):
            yield response
            # The backend has already retried unanswered requests.
            hopeless = not response.settled or response.reason in HOPELESS
            answer = response.answer
            if hopeless or (answer is not None and check(response.request_id, answer) is None):
                del waiting[response.request_id]


def _with_later_sampling(request: Request, attempt: int, params: RetryParams) -> Request:
    """A request with the sampling of a later attempt."""
    first = request.sampling
    # Higher first, then lower: neither helps every model.
    step = params.temperature_step * ((attempt + 1) // 2) * (1 if attempt % 2 else -1)
    sampling = Sampling(
        temperature=min(2.0, max(0.0, round(first.temperature + step, 6))),
        top_p=first.top_p,
        max_tokens=round(first.max_tokens * params.budget_factor**attempt),
        seed=first.seed + attempt,
    )
    return replace(request, sampling=sampling, attempt=attempt)
