"""The nodes that ask a language model, and those that judge what it wrote.

Under ``replay`` the former read answers and need no GPU. torch is imported inside the latter, so
that the graph loads without it.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import KShotSample
from tkre.core.instance import from_frame
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.generation import explanations, synthesis
from tkre.generation import label_errors as label_confidence
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import GenerationParams
from tkre.modeling.checkpoint import Checkpoint
from tkre.pipelines.data_generation.nodes import synthesis_task


def explain(
    support: pd.DataFrame,
    schema: dict[str, Any],
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    generation: GenerationParams,
    sample: KShotSample,
) -> list[dict[str, Any]]:
    """Asks the sample's language model why each support instance has its relation.

    Returns:
        Every attempt, those at one request in order.
    """
    answers = explanations.explain(
        language_models.answering(generation.of_llm(sample.llm), recordings, responses),
        from_frame(support),
        RelationSchema.model_validate(schema),
        prompt,
        generation.explanations,
        generation.retry,
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
    sample: KShotSample,
) -> list[dict[str, Any]]:
    """Asks the sample's language model for new sentences, in rounds, until each relation has enough.

    The validation and test sentences are only there to refuse copies of them.

    Returns:
        Every attempt, those at one request in order.
    """
    answers = synthesis.write_sentences(
        language_models.answering(generation.of_llm(sample.llm), recordings, responses),
        synthesis_task(support, validation, test, schema, corpus, generation, sample),
        prompt,
        generation.synthesis,
        generation.retry,
    )
    return [answer.to_dict() for answer in answers]


def score_synthetic(
    backbone: Checkpoint,
    explained: pd.DataFrame,
    synthetic: pd.DataFrame,
    schema: dict[str, Any],
    generation: GenerationParams,
    sample: KShotSample,
) -> pd.DataFrame:
    """Judges every synthetic row by a classifier that has not seen it.

    Returns:
        The probability of every relation for every synthetic row.
    """
    from tkre.training.cross_fitting import judge_synthetic

    rows, parsed = from_frame(synthetic), RelationSchema.model_validate(schema)
    probabilities = judge_synthetic(
        backbone,
        from_frame(explained),
        rows,
        parsed,
        generation.filtering.crossfit,
        seed=sample.seed,
    )
    return label_confidence.to_frame(rows, parsed, probabilities)
