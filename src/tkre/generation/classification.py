"""The language model as a classifier: scored rows labelled from the definitions and the support.

Nothing is trained. The questions, checks and retries are those of ``generation.annotation``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.generation.annotation import LabelKind, annotate, annotation_requests
from tkre.generation.llm.cost import CHARACTERS_PER_TOKEN
from tkre.generation.llm.protocol import LanguageModel, Request, Response
from tkre.generation.params import AnnotationParams, InContextParams, RetryParams
from tkre.generation.rejections import CLASSIFICATION


@dataclass(frozen=True)
class InContextTask:
    """Rows that a language model classifies, and what it is shown.

    Attributes:
        rows: Scored rows of the sample.
        support: Labelled rows; the first ``in_context.demonstrations`` of each relation are shown.
        schema: The relations.
        prompt: Content of the prompt file.
        seed: Seed of the sample, which chooses the rows.
        annotations: Settings that it shares with the annotation of unlabelled text.
        in_context: Numbers of rows and demonstrations.
    """

    rows: Sequence[Instance]
    support: Sequence[Instance]
    schema: RelationSchema
    prompt: str
    seed: int
    annotations: AnnotationParams
    in_context: InContextParams

    @property
    def kind(self) -> LabelKind:
        """Its questions: ``classification/<corpus>/seed-<s>/<row id>``, without trigger words."""
        return LabelKind(CLASSIFICATION, f"seed-{self.seed}/", triggers=False)

    @property
    def params(self) -> AnnotationParams:
        """Settings of the questions."""
        changed = {"demonstrations": self.in_context.demonstrations, "votes": 1}
        return self.annotations.model_copy(update=changed)

    def requests(self, rows: Sequence[Instance]) -> list[Request]:
        """Questions about some of the rows; none for a row that no relation may join."""
        return annotation_requests(
            rows, self.support, self.schema, self.prompt, self.params, self.kind
        )


def chosen_requests(model: LanguageModel, task: InContextTask) -> list[Request]:
    """The questions to ask: as many as ``in_context.rows``, those with a stored answer first.

    The others follow in a random order of the seed, of which fewer rows are the beginning.
    """
    order = np.random.default_rng(task.seed).permutation(len(task.rows))
    requests = task.requests([task.rows[n] for n in order])
    return sorted(requests, key=lambda request: not model.holds(request))[: task.in_context.rows]


def classify(
    model: LanguageModel, task: InContextTask, retry: RetryParams
) -> tuple[list[Instance], list[Response]]:
    """Asks for the relation of the chosen rows.

    A replay is asked for the rows with a stored answer alone.

    Returns:
        The rows, in the order of the task; all attempts.

    Raises:
        MissingResponse: A replay holds no answer about any row.
    """
    chosen = chosen_requests(model, task)
    asked = {r.id for r in chosen if model.can_answer(r)} or {r.id for r in chosen}
    rows = [row for row in task.rows if task.kind.request_id(task.schema.corpus, row.id) in asked]
    return rows, annotate(
        model, rows, task.support, task.schema, task.prompt, task.params, retry, task.kind
    )


def effort(
    requests: Sequence[Request],
    responses: Sequence[Response],
    prices: Mapping[Any, float] | None = None,
) -> dict[str, Any]:
    """What the answers took, retries included.

    Args:
        requests: One question about each row.
        responses: All attempts.
        prices: US dollars per million tokens, ``prompt`` and ``completion``.

    Returns:
        ``attempts``; ``prompt_tokens`` and ``completion_tokens``, and whether all are ``recorded``:
        those that are not are estimated from the letters of question and answer; ``seconds`` in
        which at least one question was open, None where an attempt has no record of its time;
        ``dollars``, None without prices.
    """
    letters = {r.id: sum(len(m["content"]) for m in r.messages) for r in requests}
    settled = [response for response in responses if response.settled]
    prompts = completions = 0
    for response in settled:
        given = json.dumps(response.answer, ensure_ascii=False) if response.answer else ""
        prompt, completion = response.prompt_tokens, response.completion_tokens
        estimated = letters[response.request_id] // CHARACTERS_PER_TOKEN
        prompts += estimated if prompt is None else prompt
        written = len(given or response.text or "") // CHARACTERS_PER_TOKEN
        completions += written if completion is None else completion
    rates = prices or {}
    spent = prompts * rates.get("prompt", 0.0) + completions * rates.get("completion", 0.0)
    return {
        "attempts": len(settled),
        "prompt_tokens": prompts,
        "completion_tokens": completions,
        "recorded": all(None not in (r.prompt_tokens, r.completion_tokens) for r in settled),
        "seconds": _busy_seconds(settled),
        "dollars": spent / 1e6 if rates else None,
    }


def _busy_seconds(responses: Sequence[Response]) -> float | None:
    """Length of the union of the times in which responses were waited for."""
    times = [(r.finished, r.seconds) for r in responses if r.finished and r.seconds is not None]
    if not times or len(times) < len(responses):
        return None
    ends = ((datetime.fromisoformat(finished).timestamp(), s) for finished, s in times)
    busy, until = 0.0, float("-inf")
    for start, end in sorted((end - seconds, end) for end, seconds in ends):
        busy += max(0.0, end - max(start, until))
        until = max(until, end)
    return busy
