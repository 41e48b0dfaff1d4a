"""The graph: knowledge -> MSLM -> MSLM + SCL -> contrast of pairs, as far as a variant has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import chain as joined
from typing import Any

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, parse_cell
from tkre.pipelines.knowledge_pretraining import gpu_nodes, nodes
from tkre.pipelines.namespaces import at_cell
from tkre.training.params import Stage
from tkre.training.recipes import Variant

STAGE = "knowledge_pretraining"

# What a stage reads beside the weights it starts from: the node that selects it, and what from.
SELECTIONS = {
    "pretraining_texts": (nodes.select_texts, ["knowledge"]),
    "pretraining_pairs": (nodes.select_pairs, ["explained", "synthetic"]),
}
ZERO_SHOT = {
    "pretraining_texts": "zero_shot_knowledge",
    "pretraining_pairs": "zero_shot_synthetic",
}


@cache
def _selection(data: str, *, zero_shot: bool) -> Pipeline:
    select, inputs = SELECTIONS[data]
    given = [*inputs, "params:variant.pretraining"]
    given += [ZERO_SHOT[data]] if zero_shot else []
    return Pipeline([Node(select, given, data, name=select.__name__)], tags=STAGE)


def _training(stage: Stage, make: Callable[..., Any], data: str) -> Pipeline:
    node = Node(
        make,
        ["start", data, "schema", "params:variant.pretraining", "cell"],
        [f"{stage}_encoder", f"{stage}_losses"],
        name=f"pretrain_{stage}",
        tags="gpu",
    )
    return Pipeline([node], tags=STAGE)


STAGES = {
    "mslm": _training("mslm", gpu_nodes.pretrain_mslm, "pretraining_texts"),
    "scl": _training("scl", gpu_nodes.pretrain_scl, "pretraining_texts"),
    "pairs": _training("pairs", gpu_nodes.pretrain_pairs, "pretraining_pairs"),
}


def create_pipeline(
    cells: Mapping[Cell, Variant], encoders: Mapping[Cell, EncoderChain]
) -> Pipeline:
    """Pre-training for the cells whose variants have any; what they share is trained once.

    Args:
        cells: With their variants.
        encoders: How the encoders of those cells are made that have one.
    """
    # By name, so that a stage that several cells share is there once.
    parts: dict[tuple[str, str], tuple[Node, ...]] = {}
    for cell, chain in encoders.items():
        backbone = cells[cell].backbone
        for stage, home in chain.stages:
            parts[home.name, stage] = at_cell(STAGES[stage], home, backbone, chain, stage)
        for data, namespace in chain.homes.items():
            parts[namespace, data] = at_cell(
                _selection(data, zero_shot=chain.zero_shot is not None),
                parse_cell(namespace),
                backbone,
                chain,
            )
    return Pipeline(joined(*parts.values()))
