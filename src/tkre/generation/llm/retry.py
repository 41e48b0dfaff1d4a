"""Asking until there is a usable answer, a bounded number of times, each time in another way.

A model that was cut off, or that wrote something else than was asked for, will do so again when
asked the same at a low temperature. So the next attempt has a larger budget of tokens, another
temperature and, where there are demonstrations, another order of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from tkre.core.progress import track
from tkre.generation.llm.protocol import LanguageModel, Request, Response, Sampling
from tkre.generation.params import RetryParams

# Failures that no larger budget and no other temperature mends.
HOPELESS = frozenset({"prompt_too_long", "context_full"})
# Why an answer of the right form is not usable, if it is not.
Check = Callable[[str, dict[str, Any]], object | None]
# The request for an attempt at what another request asks.
Rephrase = Callable[[Request, int], Request]


def ask(
    model: LanguageModel,
    requests: Sequence[Request],
    params: RetryParams,
    *,
    name: str,
    rephrase: Rephrase = lambda first, attempt: first,
    check: Check = lambda request_id, answer: None,
) -> Iterator[Response]:
    """Every attempt at every request, as it arrives; the last one of a request is its result.

    Args:
        model: What is asked.
        requests: First attempts.
        params: How often and how the others are made.
        name: Of what is asked for, to show progress by.
        rephrase: Makes the request of a later attempt; its sampling is changed afterwards.
        check: Tells whether an answer can be used.
    """
    waiting = {request.id: request for request in requests}
    for attempt in range(params.attempts):
        if attempt:
            waiting = {
                request.id: again
                for request in requests
                if request.id in waiting
                and model.can_answer(again := _again(rephrase(request, attempt), attempt, params))
            }
        if not waiting:
            return
        shown = f"{name}, attempt {attempt + 1}" if attempt else name
        asked = list(waiting.values())
        for response in track(model.generate(asked), shown, total=len(asked)):
            yield response
            # A server that gave nothing has been tried enough by its backend.
            hopeless = not response.settled or response.reason in HOPELESS
            answer = response.answer
            if hopeless or (answer is not None and check(response.request_id, answer) is None):
                del waiting[response.request_id]


def _again(request: Request, attempt: int, params: RetryParams) -> Request:
    """A request with the sampling of a later attempt."""
    first = request.sampling
    # Warmer first, and colder next: neither helps every model.
    step = params.temperature_step * ((attempt + 1) // 2) * (1 if attempt % 2 else -1)
    sampling = Sampling(
        temperature=min(2.0, max(0.0, round(first.temperature + step, 6))),
        top_p=first.top_p,
        max_tokens=round(first.max_tokens * params.budget_factor**attempt),
        seed=first.seed + attempt,
    )
    return replace(request, sampling=sampling, attempt=attempt)
