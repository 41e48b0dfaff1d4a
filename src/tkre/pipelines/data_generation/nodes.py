"""Corpora, K-shot sets, knowledge from a language model's responses, filters (CPU)."""

from __future__ import annotations

import logging
from typing import Any

import pandas as pd

from tkre.core.cells import KShotSample
from tkre.core.instance import Instance
from tkre.core.provenance import Lineage
from tkre.core.schema import RelationSchema
from tkre.corpora.params import NATURAL_TEST, CorpusParams
from tkre.corpora.pool import guard_pool, is_kept_out, other_sets, read_pool, take_unlabelled
from tkre.corpora.reading import CorpusFileError, CorpusFolder, read_corpus
from tkre.corpora.reviewed import read_reviewed
from tkre.corpora.sampling import development_rows, require_unseen, sample_shots, unseen_test
from tkre.evaluation.teacher import answered_predictions
from tkre.generation import (
    annotation,
    classification,
    explanations,
    filtering,
    label_errors,
    rejections,
    reviews,
    synthesis,
    texts,
)
from tkre.generation.annotation import Annotation
from tkre.generation.classification import InContextTask
from tkre.generation.llm.params import LanguageModelParams
from tkre.generation.llm.protocol import Response, attempts_by_request
from tkre.generation.params import (
    AnnotationParams,
    ExplanationParams,
    FilterParams,
    InContextParams,
    SynthesisParams,
)
from tkre.generation.texts import KnowledgeText

logger = logging.getLogger(__name__)


def read_splits(
    folder: CorpusFolder, corpus: CorpusParams
) -> tuple[
    RelationSchema, list[Instance], list[Instance], list[Instance], list[Instance], dict[str, Any]
]:
    """Reads the splits of a corpus and checks every row against its relation schema.

    Returns:
        The schema; the train, dev and test instances; the natural test, empty without one; a
        report of counts, bad rows and digests of the files.
    """
    schema = folder.schema()
    read = read_corpus(folder.read, schema, corpus)
    for line in read.dropped():
        logger.warning("%s: %s", folder.name, line)
    report = read.report | {"files": folder.digests((*corpus.read_files(), corpus.reviewed))}
    splits = read.splits
    natural = splits.get(NATURAL_TEST, [])
    return schema, splits["train"], splits["dev"], splits["test"], natural, report


def sample_k_shots(
    train: list[Instance],
    dev: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
    schema: RelationSchema,
    sample: KShotSample,
    development_seeds: list[int],
    corpus: CorpusParams,
) -> tuple[list[Instance], list[Instance], list[Instance], list[Instance], dict[str, Any]]:
    """Draws K labelled rows per relation for training and K others for validation.

    Returns:
        Support; validation; development rows, on which recipes are chosen; the test rows that are
        not in the support; ids of the sets and shortfalls per relation.
    """
    scored = [*test, *natural_test]

    def draw(seed: int) -> Any:
        return sample_shots(train, dev, schema, shots=sample.shots, seed=seed, test=scored)

    shots = draw(sample.seed)
    require_unseen(shots, natural_test, sample.corpus)
    unseen, shared = unseen_test(shots, test, sample.corpus, corpus.on_leakage)
    others = [draw(seed) for seed in development_seeds if seed != sample.seed]
    return (
        shots.support,
        shots.validation,
        development_rows(shots, others),
        unseen,
        {"sample": sample.name} | shots.ids() | shared,
    )


def keep_explanations(
    support: list[Instance],
    responses: list[Response],
    schema: RelationSchema,
    params: ExplanationParams,
) -> tuple[list[Instance], pd.DataFrame, pd.DataFrame]:
    """Adds the valid explanations to the support instances.

    Returns:
        The explained support; the rejects; the yield by relation.
    """
    explained, tallies = explanations.keep_explanations(
        support, attempts_by_request(responses), schema, params
    )
    return explained, *_account(rejections.EXPLANATION, tallies)


def keep_sentences(
    support: list[Instance],
    validation: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
    responses: list[Response],
    schema: RelationSchema,
    corpus: CorpusParams,
    params: SynthesisParams,
    sample: KShotSample,
) -> tuple[list[Instance], pd.DataFrame, pd.DataFrame]:
    """Keeps the synthetic sentences that are valid and copy no other sentence.

    Returns:
        The synthetic instances; the rejects; the yield by relation.
    """
    task = synthesis.task_of_sample(
        sample, support, validation, test, natural_test, schema, params,
        head_first=corpus.head_first,
    )  # fmt: skip
    kept, tallies = synthesis.keep_sentences(attempts_by_request(responses), task, params)
    return kept, *_account(rejections.SYNTHESIS, tallies)


def read_unlabelled(
    folder: CorpusFolder, schema: RelationSchema, corpus: CorpusParams
) -> tuple[list[Instance], list[Instance]]:
    """Reads the unlabelled text of a corpus; labels of training rows are dropped here.

    Returns:
        The unlabelled rows; those that a person has labelled since, with their labels.

    Raises:
        CorpusFileError: The file of unlabelled text is not there yet.
    """
    file = corpus.unlabelled.file if corpus.unlabelled else None
    if file is not None and folder.find(file) is None:
        raise CorpusFileError(
            f"corpus {folder.name}: there is no {file}, its unlabelled text; make it of raw "
            f"sentences: kedro corpus candidates <text> --mentions <names> --corpus {folder.name}"
        )
    return read_pool(folder.read, schema, corpus), read_reviewed(folder, schema, corpus)


def select_unlabelled(
    pool: list[Instance],
    support: list[Instance],
    validation: list[Instance],
    development: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
    params: SynthesisParams,
    annotations: AnnotationParams,
    sample: KShotSample,
) -> tuple[list[Instance], dict[str, Any]]:
    """Takes unlabelled rows that copy no sentence of the sample's other sets.

    Returns:
        As many rows as the sample has annotated ones, those that are kept out of training first;
        all, if some are to be chosen; counts of taken and refused rows.
    """
    forbidden = other_sets(support, validation, development, test, natural_test)
    return take_unlabelled(pool, forbidden, params, sample, annotations.kept_out)


def keep_annotations(
    unlabelled: list[Instance],
    responses: list[Response],
    schema: RelationSchema,
    params: AnnotationParams,
) -> tuple[list[Annotation], pd.DataFrame, pd.DataFrame]:
    """Keeps the rows whose annotation is usable.

    Returns:
        The annotated rows; the rejects; the yield.
    """
    kept, tally = annotation.keep_annotations(
        unlabelled, attempts_by_request(responses), schema, votes=params.votes
    )
    return kept, *_account(rejections.ANNOTATION, {rejections.ALL_RELATIONS: tally})


def apply_reviews(
    unreviewed: list[Annotation],
    reviewed: list[Instance],
    support: list[Instance],
    validation: list[Instance],
    development: list[Instance],
    test: list[Instance],
    natural_test: list[Instance],
    params: SynthesisParams,
    sample: KShotSample,
) -> tuple[list[Annotation], dict[str, Any]]:
    """Replaces annotated rows by what a person has said of them, and adds other reviewed rows.

    Reviewed rows that copy a sentence of the sample's other sets are refused, as unlabelled ones.

    Returns:
        The annotated rows; counts of accepted, corrected, added and refused ones.
    """
    forbidden = other_sets(support, validation, development, test, natural_test)
    guarded = guard_pool(reviewed, forbidden, params)
    rows, counts = reviews.with_reviews(unreviewed, guarded.rows)
    return rows, {"sample": sample.name} | counts | guarded.report()


def split_annotated(
    annotated: list[Annotation], params: AnnotationParams, sample: KShotSample
) -> tuple[list[Annotation], list[Annotation]]:
    """Splits the annotated rows by sentence.

    Returns:
        Rows that may train; those that are kept out, for validation on natural text.
    """
    training: list[Annotation] = []
    validation: list[Annotation] = []
    for row in annotated:
        kept_out = is_kept_out(row.instance.text, params.kept_out, sample.seed)
        (validation if kept_out else training).append(row)
    return training, validation


def keep_classifications(
    asked: list[Instance],
    responses: list[Response],
    support: list[Instance],
    schema: RelationSchema,
    prompt: str,
    llm: LanguageModelParams,
    annotations: AnnotationParams,
    in_context: InContextParams,
    sample: KShotSample,
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any], Lineage]:
    """Takes the usable answers of a language model for predictions.

    Returns:
        Predictions of the rows with a usable answer; the rejects; what the answers took; the
        lineage of a model that was not trained.
    """
    task = InContextTask(asked, support, schema, prompt, sample.seed, annotations, in_context)
    attempts = attempts_by_request(responses)
    kept, tally = annotation.keep_annotations(asked, attempts, schema, task.kind)
    took = classification.effort(task.requests(asked), responses, llm.prices)
    counts = {"model": llm.called, "rows": len(asked), "answered": len(kept)}
    return (
        answered_predictions(asked, kept, schema, task.kind),
        rejections.rejects_frame(tally.rejects),
        counts | took,
        Lineage(backbone=llm.called, origin=""),
    )


def _account(kind: str, tallies: dict[str, rejections.Tally]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rejects = [reject for tally in tallies.values() for reject in tally.rejects]
    if useless := rejections.useless(kind, tallies):
        logger.warning(useless)
    return rejections.rejects_frame(rejects), rejections.yield_frame(kind, tallies)


def merge_accounts(
    rejects: pd.DataFrame,
    more_rejects: pd.DataFrame,
    yields: pd.DataFrame,
    more_yields: pd.DataFrame,
    sample: KShotSample,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Appends rejects and yields to others of the sample: of explanations, sentences, annotations.

    Returns:
        All rejects; all yields, under the name of the sample without annotations.
    """
    counts = pd.concat([yields, more_yields], ignore_index=True)
    return (
        pd.concat([rejects, more_rejects], ignore_index=True),
        counts.assign(sample=sample.plain.name),
    )


def write_knowledge(
    explained: list[Instance], synthetic: list[Instance], schema: RelationSchema
) -> list[KnowledgeText]:
    """Makes the texts that an encoder is pre-trained on, with the roles of their characters."""
    sources = (texts.EXPLANATION, texts.SYNTHETIC, texts.SUPPORT)
    return texts.knowledge_texts(explained, synthetic, schema, sources)


def plant_noise(
    synthetic: list[Instance], schema: RelationSchema, sample: KShotSample
) -> tuple[list[Instance], pd.DataFrame]:
    """Plants wrong labels in a share of the synthetic rows.

    Returns:
        The synthetic instances with the planted labels; the record of them, for evaluation only.
    """
    return label_errors.plant_noise(synthetic, schema, sample.noise / 100, sample.seed)


def filter_synthetic(
    explained: list[Instance],
    synthetic: list[Instance],
    synthetic_probabilities: pd.DataFrame,
    schema: RelationSchema,
    params: FilterParams,
) -> tuple[list[Instance], pd.DataFrame, pd.DataFrame]:
    """Drops synthetic rows that contradict their labels or the schema, or repeat others.

    Returns:
        The synthetic instances that are kept; the verdict on each; counts by relation.
    """
    probabilities_NR = label_errors.probabilities_of(synthetic_probabilities, synthetic, schema)
    kept, verdicts = filtering.filter_synthetic(
        explained, synthetic, schema, probabilities_NR, params
    )
    return kept, verdicts, filtering.filter_summary(verdicts)


def score_filter(
    verdicts: pd.DataFrame, sample: KShotSample, planted: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Scores a filter against the planted labels; without any, all labels count as right.

    Returns:
        Precision and recall of its refusals, with their counts.
    """
    rejected = verdicts.loc[verdicts["reason"].notna(), "id"].tolist()
    if planted is None:
        planted = verdicts[["id", "relation"]].assign(planted=None)
    return {"sample": sample.name} | label_errors.filter_scores(planted, rejected)
