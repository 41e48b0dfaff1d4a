"""Corpora, K-shot sets, and what is kept of a language model's answers (CPU).

Which synthetic rows are believed, and what a filter is worth where labels are wrong (CPU).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import KShotSample
from tkre.core.instance import from_frame, to_frame
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusFolder, read_corpus
from tkre.corpora.sampling import development_rows, sample_shots, unseen_test
from tkre.generation import (
    explanations,
    filtering,
    synthesis,
)
from tkre.generation import (
    label_errors as label_confidence,
)
from tkre.generation import (
    label_errors as label_noise,
)
from tkre.generation import (
    rejections as ledger,
)
from tkre.generation import (
    synthesis as synthesis_requests,
)
from tkre.generation import texts as knowledge
from tkre.generation.llm.protocol import Request, Response
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import GenerationParams


def read_splits(
    folder: CorpusFolder, corpus: CorpusParams
) -> tuple[dict[str, Any], pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Reads the splits of a corpus and checks every row against its relation schema.

    Returns:
        The schema; the train, dev and test instances; a report of counts, bad
        rows and digests of the files.
    """
    schema = folder.schema()
    read = read_corpus(folder.read, schema, corpus)
    splits = (to_frame(read.splits[split]) for split in ("train", "dev", "test"))
    report = read.report | {"files": folder.digests(corpus.read_files())}
    return (schema.model_dump(mode="json"), *splits, report)


def sample_k_shots(
    train: pd.DataFrame,
    dev: pd.DataFrame,
    test: pd.DataFrame,
    schema: dict[str, Any],
    sample: KShotSample,
    development_seeds: list[int],
    corpus: CorpusParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Draws K labelled rows per relation to train on and K others to validate on.

    Returns:
        Support; validation; development rows for choosing recipes (no experiment but those that
        say so reads them); the test rows that are not in the support; the ids of the sets, with
        what relations lack.
    """
    parsed = RelationSchema.model_validate(schema)
    splits = (from_frame(train), from_frame(dev))
    tested = from_frame(test)
    shots = sample_shots(*splits, parsed, shots=sample.shots, seed=sample.seed, test=tested)
    unseen, shared = unseen_test(shots, tested, sample.corpus, corpus.on_leakage)
    others = [
        sample_shots(*splits, parsed, shots=sample.shots, seed=seed, test=tested)
        for seed in development_seeds
        if seed != sample.seed
    ]
    development = development_rows(shots, others)
    return (
        to_frame(shots.support),
        to_frame(shots.validation),
        to_frame(development),
        to_frame(unseen),
        {"sample": sample.name} | shots.ids() | shared,
    )


def keep_explanations(
    support: pd.DataFrame,
    responses: list[dict[str, Any]],
    schema: dict[str, Any],
    generation: GenerationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Adds the valid explanations to the support instances.

    Returns:
        The explained support; the rejects; the yield by relation.
    """
    explained, tallies = explanations.keep_explanations(
        from_frame(support),
        attempts_by_id(responses),
        RelationSchema.model_validate(schema),
        generation.explanations,
    )
    return to_frame(explained), *_account(ledger.EXPLANATION, tallies)


def keep_sentences(
    support: pd.DataFrame,
    validation: pd.DataFrame,
    test: pd.DataFrame,
    responses: list[dict[str, Any]],
    schema: dict[str, Any],
    corpus: CorpusParams,
    generation: GenerationParams,
    sample: KShotSample,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Keeps the synthetic sentences that are valid and copies of nothing.

    Returns:
        The synthetic instances; the rejects; the yield by relation.
    """
    task = synthesis_task(support, validation, test, schema, corpus, generation, sample)
    kept, tallies = synthesis.keep_sentences(attempts_by_id(responses), task, generation.synthesis)
    return to_frame(kept), *_account(ledger.SYNTHESIS, tallies)


def merge_accounts(
    explanation_rejects: pd.DataFrame,
    synthesis_rejects: pd.DataFrame,
    explanation_yield: pd.DataFrame,
    synthesis_yield: pd.DataFrame,
    sample: KShotSample,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Puts the ledger of rejects and the yield per relation of a sample together."""
    return (
        pd.concat([explanation_rejects, synthesis_rejects], ignore_index=True),
        pd.concat([explanation_yield, synthesis_yield], ignore_index=True).assign(
            sample=sample.name
        ),
    )


def write_knowledge(
    explained: pd.DataFrame, synthetic: pd.DataFrame, schema: dict[str, Any]
) -> pd.DataFrame:
    """Makes the texts that an encoder is pre-trained on, with the roles of their characters."""
    texts = knowledge.knowledge_texts(
        from_frame(explained),
        from_frame(synthetic),
        RelationSchema.model_validate(schema),
        (knowledge.EXPLANATION, knowledge.SYNTHETIC, knowledge.SUPPORT),
    )
    return knowledge.to_frame(texts)


def synthesis_task(
    support: pd.DataFrame,
    validation: pd.DataFrame,
    test: pd.DataFrame,
    schema: dict[str, Any],
    corpus: CorpusParams,
    generation: GenerationParams,
    sample: KShotSample,
) -> synthesis_requests.SynthesisTask:
    """What sentences are wanted for a sample; not a node, both synthesis nodes call it."""
    unit = sample.shots or generation.synthesis.per_request
    sources = {"the support set": support, "the validation set": validation, "the test set": test}
    return synthesis_requests.SynthesisTask(
        schema=RelationSchema.model_validate(schema),
        seed=sample.seed if sample.shots else None,
        wanted=unit * sample.synthetic,
        support=from_frame(support),
        forbidden={source: frame["text"].tolist() for source, frame in sources.items()},
        head_first=corpus.head_first,
    )


def explanation_requests(
    support: pd.DataFrame,
    schema: dict[str, Any],
    prompt: str,
    language_models: LanguageModels,
    recordings: ResponseStore,
    responses: ResponseStore,
    generation: GenerationParams,
    sample: KShotSample,
) -> list[Request]:
    """What the node ``explain`` asks first, from the same inputs; not a node."""
    return explanations.explanation_requests(
        from_frame(support), RelationSchema.model_validate(schema), prompt, generation.explanations
    )


def sentence_requests(
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
) -> list[Request]:
    """What the node ``synthesise`` asks at least, from the same inputs; not a node."""
    task = synthesis_task(support, validation, test, schema, corpus, generation, sample)
    return [
        synthesis_requests.synthesis_request(task, name, number, prompt, generation.synthesis)
        for number in range(synthesis_requests.needed_rounds(task, generation.synthesis))
        for name in task.schema.names
    ]


def attempts_by_id(responses: list[dict[str, Any]]) -> dict[str, list[Response]]:
    """The attempts at each request, oldest first; not a node."""
    attempts: dict[str, list[Response]] = {}
    for record in responses:
        attempts.setdefault(record["request_id"], []).append(Response.from_dict(record))
    return attempts


def _account(kind: str, tallies: dict[str, ledger.Tally]) -> tuple[pd.DataFrame, pd.DataFrame]:
    rejects = [reject for tally in tallies.values() for reject in tally.rejects]
    return ledger.rejects_frame(rejects), ledger.yield_frame(kind, tallies)


def plant_noise(
    synthetic: pd.DataFrame, schema: dict[str, Any], sample: KShotSample
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Swaps the labels of a share of the synthetic rows, to measure what that costs.

    Returns:
        The synthetic instances with wrong labels among them; which ones, for the evaluation only.
    """
    noisy, planted = label_noise.plant_noise(
        from_frame(synthetic),
        RelationSchema.model_validate(schema),
        sample.noise / 100,
        sample.seed,
    )
    return to_frame(noisy), planted


def filter_synthetic(
    explained: pd.DataFrame,
    synthetic: pd.DataFrame,
    synthetic_probabilities: pd.DataFrame,
    schema: dict[str, Any],
    generation: GenerationParams,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Drops synthetic rows that contradict their labels, the schema, or only repeat others.

    Returns:
        The synthetic instances that are kept; the verdict on each; counts by relation.
    """
    parsed = RelationSchema.model_validate(schema)
    rows = from_frame(synthetic)
    kept, verdicts = filtering.filter_synthetic(
        from_frame(explained),
        rows,
        parsed,
        label_confidence.from_frame(synthetic_probabilities, rows, parsed),
        generation.filtering,
    )
    return to_frame(kept), verdicts, filtering.filter_summary(verdicts)


def score_filter(
    verdicts: pd.DataFrame, sample: KShotSample, planted: pd.DataFrame | None = None
) -> dict[str, Any]:
    """Scores a filter against the labels that were planted; without any, all were right.

    Returns:
        Precision and recall of its refusals, with their counts.
    """
    rejected = verdicts.loc[verdicts["reason"].notna(), "id"].tolist()
    if planted is None:
        planted = verdicts[["id", "relation"]].assign(planted=None)
    return {"sample": sample.name} | label_noise.filter_scores(planted, rejected)
