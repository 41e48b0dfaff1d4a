"""The graph: raw files -> K-shot sets -> responses -> knowledge, annotated rows, predictions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from itertools import chain as joined

from kedro.pipeline import Pipeline

from tkre.core.cells import IN_ORDER, Cell, KShotSample, Rows
from tkre.pipelines.data_generation import gpu_nodes, nodes
from tkre.pipelines.namespaces import (
    GPU,
    IN_ROUNDS,
    LANGUAGE_MODEL,
    PREFLIGHT,
    SCORED,
    Step,
    Template,
    at_cell,
    at_corpus,
    at_sample,
)

STAGE = "data_generation"

SPLITS = Template(
    Step(
        nodes.read_splits,
        ["folder", "params:corpus"],
        ["schema", "train", "dev", "test", "natural_test", "reading_report"],
        tags=(PREFLIGHT,),
    )
)
SHOTS = Template(
    Step(
        nodes.sample_k_shots,
        ["train", "dev", "test", "natural_test", "schema", "sample", "params:development_seeds",
         "params:corpus"],
        ["support", "validation", "development", "unseen_test", "shots"],
        tags=(PREFLIGHT,),
    )
)  # fmt: skip
WRITE_KNOWLEDGE = Step(nodes.write_knowledge, ["explained", "synthetic", "schema"], "knowledge")
KNOWLEDGE = Template(
    Step(
        gpu_nodes.explain,
        ["support", "schema", "explanation_prompt", "language_models", "recordings", "responses",
         "params:llm", "params:generation.explanations", "params:generation.retry", "sample"],
        "explanation_responses",
        tags=(GPU, LANGUAGE_MODEL),
    ),
    Step(
        nodes.keep_explanations,
        ["support", "explanation_responses", "schema", "params:generation.explanations"],
        ["explained", "explanation_rejects", "explanation_yield"],
    ),
    Step(
        gpu_nodes.synthesise,
        ["support", "validation", "test", "natural_test", "schema", "synthesis_prompt",
         "language_models", "recordings", "responses", "params:llm", "params:corpus",
         "params:generation.synthesis", "params:generation.retry", "sample"],
        "synthesis_responses",
        tags=(GPU, LANGUAGE_MODEL),
    ),
    Step(
        nodes.keep_sentences,
        ["support", "validation", "test", "natural_test", "synthesis_responses", "schema",
         "params:corpus", "params:generation.synthesis", "sample"],
        ["synthetic", "synthesis_rejects", "synthesis_yield"],
    ),
    Step(
        nodes.merge_accounts,
        ["explanation_rejects", "synthesis_rejects", "explanation_yield", "synthesis_yield",
         "sample"],
        ["rejects", "yield"],
    ),
    WRITE_KNOWLEDGE,
)  # fmt: skip
UNLABELLED = Template(
    Step(
        nodes.read_unlabelled,
        ["folder", "schema", "params:corpus"],
        ["pool", "reviewed"],
        tags=(PREFLIGHT,),
    )
)
SELECT_UNLABELLED = ["pool", "support", "validation", "development", "test", "natural_test",
                     "params:generation.synthesis", "params:generation.annotations",
                     "sample"]  # fmt: skip
ANNOTATIONS = Template(
    Step(
        nodes.select_unlabelled,
        SELECT_UNLABELLED,
        ["unlabelled", "unlabelled_report"],
        tags=(PREFLIGHT,),
    ),
    Step(
        gpu_nodes.annotate,
        ["unlabelled", "support", "schema", "annotation_prompt", "language_models", "recordings",
         "responses", "annotation_recordings", "params:llm", "params:generation.annotations",
         "params:generation.retry", "sample"],
        "annotation_responses",
        tags=(GPU, LANGUAGE_MODEL),
    ),
)  # fmt: skip
CHOSEN_ANNOTATIONS = Template(
    Step(
        nodes.select_unlabelled,
        SELECT_UNLABELLED,
        ["candidates", "candidates_report"],
        tags=(PREFLIGHT,),
    ),
    Step(
        gpu_nodes.annotate_chosen,
        ["candidates", "candidates_report", "support", "explained", "synthetic", "backbone",
         "schema", "annotation_prompt", "language_models", "recordings", "responses",
         "annotation_recordings", "params:llm", "params:generation.annotations",
         "params:generation.retry", "params:generation.filtering", "sample"],
        ["unlabelled", "unlabelled_report", "annotation_responses"],
        tags=(GPU, LANGUAGE_MODEL, IN_ROUNDS),
    ),
)  # fmt: skip
KEEP_ANNOTATIONS = Template(
    Step(
        nodes.keep_annotations,
        ["unlabelled", "annotation_responses", "schema", "params:generation.annotations"],
        ["unreviewed", "annotation_rejects", "annotation_yield"],
    ),
    Step(
        nodes.apply_reviews,
        ["unreviewed", "reviewed", "support", "validation", "development", "test",
         "natural_test", "params:generation.synthesis", "sample"],
        ["annotated", "review_report"],
    ),
    Step(
        nodes.split_annotated,
        ["annotated", "params:generation.annotations", "sample"],
        ["annotated_training", "annotated_validation"],
    ),
    Step(
        nodes.merge_accounts,
        ["plain.rejects", "annotation_rejects", "plain.yield", "annotation_yield", "sample"],
        ["rejects", "yield"],
        "merge_annotation_accounts",
    ),
)  # fmt: skip
CLASSIFICATIONS = {
    name: Template(
        Step(
            gpu_nodes.classify,
            [rows, "support", "schema", "classification_prompt", "language_models", "recordings",
             "responses", "classification_recordings", "params:llm",
             "params:generation.annotations", "params:variant.in_context",
             "params:generation.retry", "sample"],
            [f"{name}_asked", f"{name}_classification_responses"],
            f"classify_{name}",
            (GPU, LANGUAGE_MODEL),
        ),
        Step(
            nodes.keep_classifications,
            [f"{name}_asked", f"{name}_classification_responses", "support", "schema",
             "classification_prompt", "params:llm", "params:generation.annotations",
             "params:variant.in_context", "sample"],
            [f"{name}_predictions", f"{name}_classification_rejects", f"{name}_effort", "lineage"],
            f"keep_classifications_{name}",
        ),
    )
    for name, rows in SCORED.items()
}  # fmt: skip
PLANT_NOISE = Template(
    Step(nodes.plant_noise, ["parent.synthetic", "schema", "sample"], ["synthetic", "planted"]),
    WRITE_KNOWLEDGE,
)


@cache
def _filter(*, noisy: bool) -> Template:
    """The filter; its verdicts are compared with planted noise."""
    verdicts = {"verdicts": "filter_verdicts", "sample": "sample"}
    return Template(
        Step(
            gpu_nodes.scoring_of("synthetic"),
            ["backbone", "explained", "parent.synthetic", "schema", "params:generation.filtering",
             "sample"],
            "synthetic_probabilities",
            tags=(GPU,),
        ),
        Step(
            nodes.filter_synthetic,
            ["explained", "parent.synthetic", "synthetic_probabilities", "schema",
             "params:generation.filtering"],
            ["synthetic", "filter_verdicts", "filter_yield"],
        ),
        Step(
            nodes.score_filter,
            verdicts | ({"planted": "parent.planted"} if noisy else {}),
            "filter_scores",
        ),
        WRITE_KNOWLEDGE,
    )  # fmt: skip


def create_pipeline(
    samples: Sequence[KShotSample],
    with_knowledge: Sequence[KShotSample],
    backbone: str,
    in_context: Sequence[Cell] = (),
    score_on: Rows = "test",
    taught: Collection[str] = (),
) -> Pipeline:
    """Data generation for samples.

    Args:
        samples: All samples; their corpora are read once each.
        with_knowledge: The samples whose variants use a language model's knowledge.
        backbone: Name of the catalog entry ``backbones.<backbone>`` that judges sentences, and
            reads those that annotated ones are chosen from.
        in_context: Cells whose classifier is the language model.
        score_on: Rows that these label.
        taught: Corpora whose unlabelled text a classifier labels for another one.
    """
    corpora = sorted({sample.corpus for sample in samples})
    plain = dict.fromkeys(sample.plain for sample in samples)
    knowing = dict.fromkeys(sample.plain for sample in with_knowledge)
    written = dict.fromkeys(sample.unannotated for sample in with_knowledge)
    filtered = [sample for sample in written if sample.filtered]
    noisy = dict.fromkeys(
        sample.parent if sample.filtered else sample for sample in written if sample.noise
    )
    annotated = dict.fromkeys(
        sample.with_annotations for sample in with_knowledge if sample.annotated
    )
    with_pool = sorted({sample.corpus for sample in annotated} | set(taught))
    return Pipeline(
        joined(
            *(at_corpus(STAGE, SPLITS, corpus) for corpus in corpora),
            *(at_corpus(STAGE, UNLABELLED, corpus) for corpus in with_pool),
            *(at_sample(STAGE, SHOTS, sample) for sample in plain),
            *(at_sample(STAGE, KNOWLEDGE, sample) for sample in knowing),
            *(
                at_sample(STAGE, ANNOTATIONS, sample)
                for sample in annotated
                if sample.chosen == IN_ORDER
            ),
            *(
                at_sample(STAGE, CHOSEN_ANNOTATIONS, sample, backbone)
                for sample in annotated
                if sample.chosen != IN_ORDER
            ),
            *(at_sample(STAGE, KEEP_ANNOTATIONS, sample) for sample in annotated),
            *(at_cell(STAGE, CLASSIFICATIONS[score_on], cell) for cell in in_context),
            *(at_sample(STAGE, PLANT_NOISE, sample) for sample in noisy),
            *(
                at_sample(STAGE, _filter(noisy=sample.noise > 0), sample, backbone)
                for sample in filtered
            ),
        )
    )
