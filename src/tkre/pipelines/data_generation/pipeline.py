"""The graph: raw files -> K-shot sets -> responses -> knowledge."""

from __future__ import annotations

from collections.abc import Sequence

from kedro.pipeline import Node, Pipeline

from tkre.grid import Draw
from tkre.pipelines.data_generation import gpu_nodes, nodes
from tkre.pipelines.scoping import at_corpus, at_draw

STAGE = "data_generation"

SPLITS = Pipeline(
    [
        Node(
            nodes.read_splits,
            ["folder", "params:corpus"],
            ["schema", "train", "dev", "test", "reading_report"],
            name="read_splits",
            tags="rehearsed",
        )
    ],
    tags=STAGE,
)

SHOTS = Pipeline(
    [
        Node(
            nodes.draw_shots,
            ["train", "dev", "test", "schema", "draw", "params:development_seeds"],
            ["support", "validation", "development", "shots"],
            name="draw_shots",
            tags="rehearsed",
        )
    ],
    tags=STAGE,
)

KNOWLEDGE = Pipeline(
    [
        Node(
            gpu_nodes.explain,
            [
                "support",
                "schema",
                "explanation_prompt",
                "language_models",
                "recordings",
                "responses",
                "params:generation",
            ],
            "explanation_responses",
            name="explain",
            tags=["gpu", "language_model"],
        ),
        Node(
            nodes.keep_explanations,
            ["support", "explanation_responses", "schema", "params:generation"],
            ["explained", "explanation_rejects", "explanation_yield"],
            name="keep_explanations",
        ),
        Node(
            gpu_nodes.synthesise,
            [
                "support",
                "validation",
                "test",
                "schema",
                "synthesis_prompt",
                "language_models",
                "recordings",
                "responses",
                "params:corpus",
                "params:generation",
                "draw",
            ],
            "synthesis_responses",
            name="synthesise",
            tags=["gpu", "language_model"],
        ),
        Node(
            nodes.keep_sentences,
            [
                "support",
                "validation",
                "test",
                "synthesis_responses",
                "schema",
                "params:corpus",
                "params:generation",
                "draw",
            ],
            ["synthetic", "synthesis_rejects", "synthesis_yield"],
            name="keep_sentences",
        ),
        Node(
            nodes.merge_accounts,
            [
                "explanation_rejects",
                "synthesis_rejects",
                "explanation_yield",
                "synthesis_yield",
                "draw",
            ],
            ["rejects", "yield"],
            name="merge_accounts",
        ),
        Node(
            nodes.write_knowledge,
            ["explained", "synthetic", "schema"],
            "knowledge",
            name="write_knowledge",
        ),
    ],
    tags=STAGE,
)


def create_pipeline(draws: Sequence[Draw], with_knowledge: Sequence[Draw]) -> Pipeline:
    """Data generation for draws.

    Args:
        draws: All draws; their corpora are read once each.
        with_knowledge: Those of them whose variants use a language model's knowledge.
    """
    corpora = sorted({draw.corpus for draw in draws})
    return Pipeline(
        [
            *(at_corpus(SPLITS, corpus) for corpus in corpora),
            *(at_draw(SHOTS, draw) for draw in draws),
            *(at_draw(KNOWLEDGE, draw) for draw in with_knowledge),
        ]
    )
