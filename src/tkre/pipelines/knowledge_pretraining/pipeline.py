"""The graph: knowledge -> the stages of pre-training that a variant has, chained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import chain as joined
from typing import Any

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain
from tkre.pipelines.knowledge_pretraining import gpu_nodes, nodes
from tkre.pipelines.namespaces import GPU, Step, Template, at_cell
from tkre.training.recipes import Variant
from tkre.training.stages import PAIRS, STAGES, TEXTS

STAGE = "knowledge_pretraining"

# Data of a stage: the node that selects it, its inputs, and the input without examples.
SELECTIONS: dict[str, tuple[Callable[..., Any], list[str], str]] = {
    TEXTS: (nodes.select_texts, ["knowledge"], "zero_shot_knowledge"),
    PAIRS: (nodes.select_pairs, ["explained", "synthetic"], "zero_shot_synthetic"),
}


@cache
def _selection(data: str, *, zero_shot: bool, annotated: bool) -> Template:
    select, inputs, without_examples = SELECTIONS[data]
    given = {name: name for name in inputs} | {"pretraining": "params:encoder"}
    given |= {"zero_shot": without_examples} if zero_shot else {}
    given |= {"annotated_training": "annotated_training"} if annotated else {}
    return Template(Step(select, given, data))


def _training(stage: str) -> Template:
    return Template(
        Step(
            gpu_nodes.pretraining_of(stage),
            ["start", STAGES[stage].reads, "schema", "params:encoder", "cell"],
            [f"{stage}_encoder", f"{stage}_losses"],
            tags=(GPU, stage),
        )
    )


TRAININGS = {name: _training(name) for name in STAGES}


def create_pipeline(
    cells: Mapping[Cell, Variant], encoders: Mapping[Cell, EncoderChain]
) -> Pipeline:
    """Pre-training for the cells whose variants have any; a shared encoder is trained once.

    Args:
        cells: All cells with their variants.
        encoders: Stages of the encoder of each cell that has one.
    """
    users: dict[Cell, list[Cell]] = {}
    for cell, chain in encoders.items():
        for _, home in chain.stages:
            users.setdefault(home, []).append(cell)
    parts: dict[tuple[Cell, str], tuple[Node, ...]] = {}
    for cell, chain in encoders.items():
        place = (cells[cell].backbone, chain)
        for stage, home in chain.stages:
            parts[home, stage] = at_cell(
                STAGE, TRAININGS[stage], home, *place, stage, tuple(users[home])
            )
        for data, home in chain.data.items():
            template = _selection(
                data, zero_shot=chain.zero_shot is not None, annotated=home.sample.annotated > 0
            )
            parts[home, data] = at_cell(STAGE, template, home, *place, None, tuple(users[home]))
    return Pipeline(joined(*parts.values()))
