"""The graph: raw files -> K-shot sets -> responses -> knowledge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain as joined

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Draw
from tkre.pipelines.data_generation import gpu_nodes, nodes
from tkre.pipelines.data_generation import nodes as filter_nodes
from tkre.pipelines.namespaces import at_corpus, at_draw

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
            [
                "train",
                "dev",
                "test",
                "schema",
                "draw",
                "params:development_seeds",
                "params:corpus",
            ],
            ["support", "validation", "development", "unseen_test", "shots"],
            name="draw_shots",
            tags="rehearsed",
        )
    ],
    tags=STAGE,
)

WRITE_KNOWLEDGE = Node(
    nodes.write_knowledge,
    ["explained", "synthetic", "schema"],
    "knowledge",
    name="write_knowledge",
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
                "draw",
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
        WRITE_KNOWLEDGE,
    ],
    tags=STAGE,
)


PLANT_NOISE = Pipeline(
    [
        Node(
            filter_nodes.plant_noise,
            ["unchanged_synthetic", "schema", "draw"],
            ["synthetic", "planted"],
            name="plant_noise",
        ),
        WRITE_KNOWLEDGE,
    ],
    tags=STAGE,
)


@cache
def _filter(*, noisy: bool) -> Pipeline:
    """The filter; what it finds of planted noise is scored."""
    against = {"verdicts": "filter_verdicts", "draw": "draw"}
    return Pipeline(
        [
            Node(
                gpu_nodes.score_synthetic,
                [
                    "backbone",
                    "explained",
                    "unchanged_synthetic",
                    "schema",
                    "params:generation",
                    "draw",
                ],
                "synthetic_probabilities",
                name="score_synthetic",
                tags="gpu",
            ),
            Node(
                filter_nodes.filter_synthetic,
                [
                    "explained",
                    "unchanged_synthetic",
                    "synthetic_probabilities",
                    "schema",
                    "params:generation",
                ],
                ["synthetic", "filter_verdicts", "filter_yield"],
                name="filter_synthetic",
            ),
            Node(
                filter_nodes.score_filter,
                against | ({"planted": "planted"} if noisy else {}),
                "filter_scores",
                name="score_filter",
            ),
            WRITE_KNOWLEDGE,
        ],
        tags=STAGE,
    )


def create_pipeline(
    draws: Sequence[Draw], with_knowledge: Sequence[Draw], backbone: str
) -> Pipeline:
    """Data generation for draws.

    Args:
        draws: All draws; their corpora are read once each.
        with_knowledge: Those of them whose variants use a language model's knowledge.
        backbone: Name of the catalog entry ``backbones.<backbone>`` that judges sentences.
    """
    corpora = sorted({draw.corpus for draw in draws})
    plain = dict.fromkeys(draw.plain for draw in draws)
    knowing = dict.fromkeys(draw.plain for draw in with_knowledge)
    noisy = dict.fromkeys(draw.parent for draw in with_knowledge if draw.noise and draw.filtered)
    noisy |= dict.fromkeys(draw for draw in with_knowledge if draw.noise and not draw.filtered)
    filtered = dict.fromkeys(draw for draw in with_knowledge if draw.filtered)
    return Pipeline(
        joined(
            *(at_corpus(SPLITS, corpus) for corpus in corpora),
            *(at_draw(SHOTS, draw) for draw in plain),
            *(at_draw(KNOWLEDGE, draw) for draw in knowing),
            *(at_draw(PLANT_NOISE, draw) for draw in noisy),
            *(at_draw(_filter(noisy=draw.noise > 0), draw, backbone) for draw in filtered),
        )
    )
