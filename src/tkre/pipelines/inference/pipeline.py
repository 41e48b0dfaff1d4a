"""The graph: sentences + the newest classifier -> predictions."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from tkre.grid import Cell
from tkre.pipelines.inference import gpu_nodes, nodes

STAGE = "inference"

INFERENCE = Pipeline(
    [
        Node(
            nodes.read_sentences, "sentences", "instances", name="read_sentences", tags="rehearsed"
        ),
        Node(gpu_nodes.label, ["classifier", "instances"], "predictions", name="label", tags="gpu"),
    ],
    tags=STAGE,
)


def create_pipeline(cell: Cell) -> Pipeline:
    """Labels the sentences of ``inference.sentences``.

    Args:
        cell: Whose newest classifier is used.
    """
    return Pipeline(INFERENCE, namespace=STAGE, inputs={"classifier": f"{cell.name}.classifier"})
