"""The graph: sentences + the newest classifier and its calibrator record -> predictions."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell
from tkre.pipelines.inference import gpu_nodes, nodes
from tkre.pipelines.namespaces import PREFLIGHT

STAGE = "inference"

INFERENCE = Pipeline(
    [
        Node(nodes.read_sentences, "sentences", "instances", name="read_sentences", tags=PREFLIGHT),
        Node(
            nodes.choose_threshold,
            ["calibrator", "params:inference"],
            "threshold",
            name="choose_threshold",
            tags=PREFLIGHT,
        ),
        Node(
            gpu_nodes.label,
            ["classifier", "calibrator", "instances"],
            "raw_predictions",
            name="label",
            tags="gpu",
        ),
        Node(
            nodes.answer,
            ["raw_predictions", "instances", "calibrator", "threshold"],
            "predictions",
            name="answer",
        ),
    ],
    tags=STAGE,
)


def create_pipeline(cell: Cell) -> Pipeline:
    """Labels the sentences of ``inference.sentences``.

    Args:
        cell: Whose newest classifier and calibrator record are used.
    """
    return Pipeline(
        INFERENCE,
        namespace=STAGE,
        inputs={name: f"{cell.name}.{name}" for name in ("classifier", "calibrator")},
        parameters={"params:inference"},
    )
