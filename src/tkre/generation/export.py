"""A store for others: what a live run left, told where it came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tkre.generation.protocol import Response
from tkre.generation.store import ResponseStore


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
