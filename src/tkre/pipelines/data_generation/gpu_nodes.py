"""Nodes that ask a language model, and the judge of synthetic rows.

With the backend ``replay`` the former read recorded responses and need no GPU. torch is imported
inside the latter, so that the graph loads without it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from tkre.core.cells import KShotSample
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.generation import annotation, classification, explanations, label_errors, synthesis
from tkre.generation.classification import InContextTask
from tkre.generation.llm.params import LanguageModelParams
from tkre.generation.llm.protocol import Request, Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import (
    AnnotationParams,
    ExplanationParams,
    FilterParams,
    InContextParams,
    RetryParams,
    SynthesisParams,
    llm_params,
)
from tkre.modeling.checkpoint import Checkpoint


def explain(
    support: list[Instance],
    schema: RelationSchema,
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    llm: LanguageModelParams,
    params: ExplanationParams,
    retry: RetryParams,
    sample: KShotSample,
) -> list[Response]:
    """Asks the sample's language model why each support instance has its relation.

    Returns:
        Every attempt; the attempts at one request in order.
    """
    model = language_models.answering(llm_params(llm, sample.llm), recordings, responses)
    return explanations.explain(model, support, schema, prompt, params, retry)


def synthesise(
    support: list[Instance],
    validation: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
    schema: RelationSchema,
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    llm: LanguageModelParams,
    corpus: CorpusParams,
    params: SynthesisParams,
    retry: RetryParams,
    sample: KShotSample,
) -> list[Response]:
    """Asks the sample's language model for new sentences, in rounds, until no relation is short.

    Validation and test sentences are read to refuse copies of them; no prompt holds them.

    Returns:
        Every attempt; the attempts at one request in order.
    """
    model = language_models.answering(llm_params(llm, sample.llm), recordings, responses)
    task = synthesis.task_of_sample(
        sample, support, validation, test, natural_test, schema, params,
        head_first=corpus.head_first,
    )  # fmt: skip
    return synthesis.write_sentences(model, task, prompt, params, retry)


def annotate(
    unlabelled: list[Instance],
    support: list[Instance],
    schema: RelationSchema,
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    annotation_recordings: ResponseStore,
    llm: LanguageModelParams,
    params: AnnotationParams,
    retry: RetryParams,
    sample: KShotSample,
) -> list[Response]:
    """Asks the sample's language model which relation each unlabelled row states.

    Returns:
        Every attempt; the attempts at one request in order.
    """
    model = language_models.answering(
        llm_params(llm, sample.llm), recordings, responses, annotation_recordings
    )
    return annotation.annotate(model, unlabelled, support, schema, prompt, params, retry)


def classify(
    rows: list[Instance],
    support: list[Instance],
    schema: RelationSchema,
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    classification_recordings: ResponseStore,
    llm: LanguageModelParams,
    annotations: AnnotationParams,
    in_context: InContextParams,
    retry: RetryParams,
    sample: KShotSample,
) -> tuple[list[Instance], list[Response]]:
    """Asks the sample's language model which relation each of the chosen scored rows states.

    Returns:
        The rows that it was asked about; every attempt, the attempts at one request in order.
    """
    model = language_models.answering(
        llm_params(llm, sample.llm), recordings, responses, classification_recordings
    )
    task = InContextTask(rows, support, schema, prompt, sample.seed, annotations, in_context)
    return classification.classify(model, task, retry)


def _first_explanations(inputs: Mapping[str, Any]) -> list[Request]:
    return explanations.explanation_requests(
        *(inputs[name] for name in ("support", "schema", "prompt", "params"))
    )


def _first_sentences(inputs: Mapping[str, Any]) -> list[Request]:
    names = ("sample", "support", "validation", "test", "natural_test", "schema", "params")
    task = synthesis.task_of_sample(
        *(inputs[name] for name in names), head_first=inputs["corpus"].head_first
    )
    return synthesis.first_requests(task, inputs["prompt"], inputs["params"])


def _first_annotations(inputs: Mapping[str, Any]) -> list[Request]:
    return annotation.annotation_requests(
        *(inputs[name] for name in ("unlabelled", "support", "schema", "prompt", "params"))
    )


def _first_classifications(inputs: Mapping[str, Any]) -> list[Request]:
    stores = (inputs[n] for n in ("recordings", "responses", "classification_recordings"))
    llm, sample = inputs["llm"], inputs["sample"]
    model = inputs["language_models"].answering(llm_params(llm, sample.llm), *stores)
    given = (inputs[name] for name in ("rows", "support", "schema", "prompt"))
    task = InContextTask(*given, sample.seed, inputs["annotations"], inputs["in_context"])
    return classification.chosen_requests(model, task)


# The first requests of a node, from its arguments by name.
FIRST_REQUESTS: dict[Callable[..., Any], Callable[[Mapping[str, Any]], list[Request]]] = {
    explain: _first_explanations,
    synthesise: _first_sentences,
    annotate: _first_annotations,
    classify: _first_classifications,
}


def score_synthetic(
    backbone: Checkpoint,
    explained: list[Instance],
    synthetic: list[Instance],
    schema: RelationSchema,
    params: FilterParams,
    sample: KShotSample,
) -> pd.DataFrame:
    """Judges every synthetic row by a classifier that was not trained on it.

    Returns:
        The probability of every relation for every synthetic row.
    """
    from tkre.training.cross_fitting import judge

    probabilities_NR = judge(
        backbone,
        explained,
        synthetic,
        schema,
        params.crossfit,
        judged="synthetic",
        seed=sample.seed,
    )  # fmt: skip
    return label_errors.probability_frame(synthetic, schema, probabilities_NR)
