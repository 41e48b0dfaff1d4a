"""Nodes that ask a language model, and those that judge labels.

With the backend ``replay`` the former read recorded responses and need no GPU. torch is imported
inside the latter, so that the graph loads without it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pandas as pd

from tkre.core.cells import KShotSample
from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.corpora.pool import kept_out_first
from tkre.generation import annotation, classification, explanations, label_errors, synthesis
from tkre.generation.annotation import Annotation, instances_of
from tkre.generation.annotation_rounds import AnnotationTask, annotate_in_rounds
from tkre.generation.classification import InContextTask
from tkre.generation.llm.params import LanguageModelParams
from tkre.generation.llm.protocol import LanguageModel, Request, Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import (
    AnnotationParams,
    ExplanationParams,
    FilterParams,
    InContextParams,
    Judged,
    RetryParams,
    SynthesisParams,
    llm_params,
)
from tkre.modeling.checkpoint import Checkpoint

logger = logging.getLogger(__name__)


def _model_of(
    sample: KShotSample,
    language_models: LanguageModels,
    llm: LanguageModelParams,
    *stores: ResponseStore,
) -> LanguageModel:
    """The language model of a sample, with the stores that hold answers of it."""
    return language_models.answering(llm_params(llm, sample.llm), *stores)


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
    model = _model_of(sample, language_models, llm, recordings, responses)
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
    model = _model_of(sample, language_models, llm, recordings, responses)
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
    model = _model_of(sample, language_models, llm, recordings, responses, annotation_recordings)
    return annotation.annotate(model, unlabelled, support, schema, prompt, params, retry)


def annotate_chosen(
    candidates: list[Instance],
    candidates_report: dict[str, Any],
    support: list[Instance],
    explained: list[Instance],
    synthetic: list[Instance],
    backbone: Checkpoint,
    schema: RelationSchema,
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    annotation_recordings: ResponseStore,
    llm: LanguageModelParams,
    params: AnnotationParams,
    retry: RetryParams,
    filtering: FilterParams,
    sample: KShotSample,
) -> tuple[list[Instance], dict[str, Any], list[Response]]:
    """Chooses unlabelled rows in rounds, and asks the sample's language model about each round's.

    A replay chooses among the rows whose responses are recorded.

    Returns:
        The rows that it was asked about, those that are kept out first; counts of them, and of the
        rows of every round; every attempt.
    """
    from tkre.training.active_learning import Chooser

    model = _model_of(sample, language_models, llm, recordings, responses, annotation_recordings)
    task = AnnotationTask(support, schema, prompt, params, retry)
    known = task.answerable(model, candidates)
    kept_out, free = kept_out_first(known, sample.annotated, params.kept_out, sample.seed)
    choose = Chooser(
        sample.chosen, backbone, explained, synthetic, free, schema, filtering.crossfit, sample.seed
    )
    chosen = annotate_in_rounds(model, kept_out, free, task, sample.annotated, choose)
    report = {
        "taken": len(chosen.rows), "kept_out": len(kept_out), "rounds": chosen.sizes,
        "not_recorded": len(candidates) - len(known),
    }  # fmt: skip
    logger.log(
        logging.INFO if len(chosen.rows) == sample.annotated else logging.WARNING,
        "%s: %d of %d candidates annotated, %d kept out and %d chosen in rounds of %s; %d others "
        "have no recorded response or no possible relation",
        sample.name, len(chosen.rows), len(candidates), len(kept_out), sum(chosen.sizes),
        ", ".join(map(str, chosen.sizes)), report["not_recorded"],
    )  # fmt: skip
    return chosen.rows, candidates_report | report, chosen.responses


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
    model = _model_of(
        sample, language_models, llm, recordings, responses, classification_recordings
    )
    task = InContextTask(rows, support, schema, prompt, sample.seed, annotations, in_context)
    return classification.classify(model, task, retry)


def _first_sentences(
    support: list[Instance],
    validation: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
    schema: RelationSchema,
    prompt: str,
    corpus: CorpusParams,
    params: SynthesisParams,
    sample: KShotSample,
) -> list[Request]:
    task = synthesis.task_of_sample(
        sample, support, validation, test, natural_test, schema, params,
        head_first=corpus.head_first,
    )  # fmt: skip
    return synthesis.first_requests(task, prompt, params)


def _first_chosen_annotations(
    model: LanguageModel,
    candidates: list[Instance],
    support: list[Instance],
    schema: RelationSchema,
    prompt: str,
    params: AnnotationParams,
    retry: RetryParams,
    sample: KShotSample,
) -> list[Request]:
    """Requests for the rows that are kept out, and for as many others as will be chosen."""
    task = AnnotationTask(support, schema, prompt, params, retry)
    rows = task.answerable(model, candidates) or candidates
    kept_out, others = kept_out_first(rows, sample.annotated, params.kept_out, sample.seed)
    first = [*kept_out, *others][: sample.annotated]
    return annotation.annotation_requests(first, support, schema, prompt, params)


def _first_classifications(
    model: LanguageModel,
    rows: list[Instance],
    support: list[Instance],
    schema: RelationSchema,
    prompt: str,
    annotations: AnnotationParams,
    in_context: InContextParams,
    sample: KShotSample,
) -> list[Request]:
    task = InContextTask(rows, support, schema, prompt, sample.seed, annotations, in_context)
    return classification.chosen_requests(model, task)


# Functions that make the first requests of a node from some of its arguments, by their names, and
# from the ``model`` that it asks.
FIRST_REQUESTS: dict[Callable[..., Any], Callable[..., list[Request]]] = {
    explain: explanations.explanation_requests,
    synthesise: _first_sentences,
    annotate: annotation.annotation_requests,
    annotate_chosen: _first_chosen_annotations,
    classify: _first_classifications,
}


def scoring_of(judged: Judged) -> Callable[..., pd.DataFrame]:
    """The node function that judges the labels of one kind of rows, named after it."""

    def score(
        backbone: Checkpoint,
        explained: list[Instance],
        others: list[Instance] | list[Annotation],
        schema: RelationSchema,
        params: FilterParams,
        sample: KShotSample,
    ) -> pd.DataFrame:
        from tkre.training.cross_fitting import judge

        rows = instances_of(others)
        probabilities_NR = judge(
            backbone, explained, rows, schema, params.crossfit, judged=judged, seed=sample.seed
        )
        scored = explained if judged == "support" else rows
        return label_errors.probability_frame(scored, schema, probabilities_NR)

    score.__name__ = score.__qualname__ = f"score_{judged}"
    score.__doc__ = (
        f"Judges every {judged} row by a classifier that was not trained on it.\n\n"
        f"Returns:\n    The probability of every relation for every {judged} row."
    )
    return score
