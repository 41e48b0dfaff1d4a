"""The graph: knowledge -> the stages of pre-training that a variant has, chained."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain as joined

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, parse_cell
from tkre.pipelines.knowledge_pretraining import gpu_nodes, nodes
from tkre.pipelines.namespaces import at_cell
from tkre.training.recipes import Variant
from tkre.training.stages import PAIRS, STAGES, TEXTS, Stage

STAGE = "knowledge_pretraining"

# What a stage reads beside the weights it starts from: the node that selects it, and what from.
SELECTIONS = {
    TEXTS: (nodes.select_texts, ["knowledge"]),
    PAIRS: (nodes.select_pairs, ["explained", "synthetic"]),
}
ZERO_SHOT = {
    TEXTS: "zero_shot_knowledge",
    PAIRS: "zero_shot_synthetic",
}


@cache
def _selection(data: str, *, zero_shot: bool) -> Pipeline:
    select, inputs = SELECTIONS[data]
    given = [*inputs, "params:variant.pretraining"]
    given += [ZERO_SHOT[data]] if zero_shot else []
    return Pipeline([Node(select, given, data, name=select.__name__)], tags=STAGE)


def _training(stage: Stage) -> Pipeline:
    node = Node(
        gpu_nodes.pretraining_of(stage.name),
        ["start", stage.reads, "schema", "params:variant.pretraining", "cell"],
        [f"{stage.name}_encoder", f"{stage.name}_losses"],
        name=f"pretrain_{stage.name}",
        tags="gpu",
    )
    return Pipeline([node], tags=STAGE)


TRAININGS = {name: _training(stage) for name, stage in STAGES.items()}


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
            parts[home.name, stage] = at_cell(TRAININGS[stage], home, backbone, chain, stage)
        for data, namespace in chain.homes.items():
            parts[namespace, data] = at_cell(
                _selection(data, zero_shot=chain.zero_shot is not None),
                parse_cell(namespace),
                backbone,
                chain,
            )
    return Pipeline(joined(*parts.values()))
