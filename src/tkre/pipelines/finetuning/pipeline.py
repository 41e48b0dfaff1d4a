"""The graph: support, synthetic sentences and an encoder -> classifier -> predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from kedro.pipeline import Node, Pipeline

from tkre.grid import Cell
from tkre.pipelines.finetuning import gpu_nodes, nodes
from tkre.pipelines.scoping import at_cell
from tkre.variants import Variant

STAGE = "finetuning"

GOLDEN = Node(nodes.golden_rows, "support", "training_rows", name="golden_rows")
GOLDEN_EXPLAINED = Node(nodes.golden_rows, "explained", "training_rows", name="golden_rows")
GOLDEN_AND_SYNTHETIC = Node(
    nodes.golden_and_synthetic_rows,
    ["explained", "synthetic"],
    "training_rows",
    name="golden_and_synthetic_rows",
)

FROM_BACKBONE = Node(
    gpu_nodes.finetune_backbone,
    ["backbone", "training_rows", "validation", "schema", "params:variant.finetuning", "cell"],
    ["classifier", "finetuning_losses", "lineage"],
    name="finetune",
    tags="gpu",
)
FROM_ENCODER = Node(
    gpu_nodes.finetune_encoder,
    [
        "encoder",
        "backbone",
        "pretraining_texts",
        "training_rows",
        "validation",
        "schema",
        "params:variant.pretraining",
        "params:variant.finetuning",
        "cell",
    ],
    ["classifier", "finetuning_losses", "lineage"],
    name="finetune",
    tags="gpu",
)

PREDICTIONS: dict[Literal["test", "development"], Node] = {
    "test": Node(
        gpu_nodes.predict,
        ["classifier", "test"],
        "test_predictions",
        name="predict_test",
        tags="gpu",
    ),
    "development": Node(
        gpu_nodes.predict,
        ["classifier", "development"],
        "development_predictions",
        name="predict_development",
        tags="gpu",
    ),
}


def create_pipeline(
    cells: Mapping[Cell, Variant], score_on: Literal["test", "development"]
) -> Pipeline:
    """Classifiers of cells and their predictions.

    Args:
        cells: With their variants.
        score_on: Which rows are labelled, once.
    """
    return Pipeline(
        [
            at_cell(template(variant, score_on), cell, variant.backbone)
            for cell, variant in cells.items()
        ]
    )


def template(variant: Variant, score_on: Literal["test", "development"]) -> Pipeline:
    """The nodes that a variant needs: it reads only what its recipe uses."""
    rows = GOLDEN_EXPLAINED if variant.finetuning.uses_knowledge else GOLDEN
    if variant.finetuning.synthetic:
        rows = GOLDEN_AND_SYNTHETIC
    start = FROM_BACKBONE if variant.pretraining is None else FROM_ENCODER
    return Pipeline([rows, start, PREDICTIONS[score_on]], tags=STAGE)
