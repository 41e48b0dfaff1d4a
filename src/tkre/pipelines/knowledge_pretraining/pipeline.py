"""The graph: knowledge texts -> MSLM -> MSLM + SCL."""

from __future__ import annotations

from collections.abc import Mapping

from kedro.pipeline import Node, Pipeline

from tkre.grid import Cell
from tkre.pipelines.knowledge_pretraining import gpu_nodes, nodes
from tkre.pipelines.scoping import at_cell
from tkre.variants import Variant

STAGE = "knowledge_pretraining"

PRETRAINING = Pipeline(
    [
        Node(
            nodes.select_texts,
            ["knowledge", "params:variant.pretraining"],
            "pretraining_texts",
            name="select_texts",
        ),
        Node(
            gpu_nodes.pretrain_mslm,
            ["backbone", "pretraining_texts", "schema", "params:variant.pretraining", "cell"],
            ["mslm_encoder", "mslm_losses"],
            name="pretrain_mslm",
            tags="gpu",
        ),
        Node(
            gpu_nodes.pretrain_scl,
            ["mslm_encoder", "pretraining_texts", "schema", "params:variant.pretraining", "cell"],
            ["encoder", "scl_losses"],
            name="pretrain_scl",
            tags="gpu",
        ),
    ],
    tags=STAGE,
)


def create_pipeline(cells: Mapping[Cell, Variant]) -> Pipeline:
    """Pre-training for the cells whose variants have any."""
    return Pipeline(
        [
            at_cell(PRETRAINING, cell, variant.backbone)
            for cell, variant in cells.items()
            if variant.pretraining is not None
        ]
    )
