"""The nodes that ask a language model. Under ``replay`` they read answers and need no GPU."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.corpora.params import CorpusParams
from tkre.corpora.schema import RelationSchema
from tkre.generation import explanations, synthesis
from tkre.generation.backends.pool import LanguageModels
from tkre.generation.params import GenerationParams
from tkre.generation.store import ResponseStore
from tkre.grid import Draw
from tkre.pipelines.data_generation.nodes import synthesis_task
from tkre.records import from_frame


def explain(
    support: pd.DataFrame,
    schema: dict[str, Any],
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    generation: GenerationParams,
) -> list[dict[str, Any]]:
    """Asks the language model why each support instance has its relation.

    Returns:
        Every attempt, those at one request in order.
    """
    answers = explanations.explain(
        language_models.answering(generation.language_model, recordings, responses),
        from_frame(support),
        RelationSchema.model_validate(schema),
        prompt,
        generation.explanations,
        generation.again,
    )
    return [answer.to_dict() for answer in answers]


def synthesise(
    support: pd.DataFrame,
    validation: pd.DataFrame,
    test: pd.DataFrame,
    schema: dict[str, Any],
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    corpus: CorpusParams,
    generation: GenerationParams,
    draw: Draw,
) -> list[dict[str, Any]]:
    """Asks the language model for new sentences, in rounds, until each relation has enough.

    The validation and test sentences are only there to refuse copies of them.

    Returns:
        Every attempt, those at one request in order.
    """
    answers = synthesis.write_sentences(
        language_models.answering(generation.language_model, recordings, responses),
        synthesis_task(support, validation, test, schema, corpus, draw),
        prompt,
        generation.synthesis,
        generation.again,
    )
    return [answer.to_dict() for answer in answers]
