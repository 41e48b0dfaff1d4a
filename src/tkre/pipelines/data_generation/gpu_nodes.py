"""The nodes that ask a language model. Under ``replay`` they read answers and need no GPU."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.corpora.params import CorpusParams
from tkre.generation.backends import build_language_model
from tkre.generation.params import GenerationParams
from tkre.generation.store import ResponseStore
from tkre.generation.synthesis import write_sentences
from tkre.grid import Draw
from tkre.pipelines.data_generation.nodes import parse_requests, synthesis_task
from tkre.progress import track


def explain(
    requests: list[dict[str, Any]],
    recordings: ResponseStore,
    responses: ResponseStore,
    generation: GenerationParams,
) -> list[dict[str, Any]]:
    """Asks the language model why each support instance has its relation."""
    model = build_language_model(generation.language_model, recordings, responses)
    parsed = parse_requests(requests)
    answers = track(model.generate(parsed), "explanations", total=len(parsed))
    return [answer.to_dict() for answer in answers]


def synthesise(
    support: pd.DataFrame,
    validation: pd.DataFrame,
    test: pd.DataFrame,
    schema: dict[str, Any],
    prompt: str,
    recordings: ResponseStore,
    responses: ResponseStore,
    corpus: CorpusParams,
    generation: GenerationParams,
    draw: Draw,
) -> list[dict[str, Any]]:
    """Asks the language model for new sentences, in rounds, until each relation has enough.

    The validation and test sentences are only there to refuse copies of them.
    """
    model = build_language_model(generation.language_model, recordings, responses)
    task = synthesis_task(support, validation, test, schema, corpus, draw)
    answers = write_sentences(model, task, prompt, generation.synthesis)
    return [answer.to_dict() for answer in answers]
