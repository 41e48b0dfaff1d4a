"""The graph: sentences + the newest classifier, its calibrator record, schema -> predictions."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell
from tkre.pipelines.inference import gpu_nodes
from tkre.pipelines.namespaces import GPU

STAGE = "inference"


def create_pipeline(cell: Cell, calibrator: str = "calibrator") -> Pipeline:
    """Labels the sentences of ``inference.sentences``.

    Args:
        cell: The cell whose newest classifier and calibrator record are used.
        calibrator: Dataset of the calibrator, of those of the cell (``CellText``).
    """
    trained = [f"{cell.name}.classifier", f"{cell.name}.{calibrator}"]
    return Pipeline(
        [
            Node(
                gpu_nodes.label,
                [
                    *trained,
                    f"{cell.sample.corpus}.schema",
                    f"{STAGE}.sentences",
                    "params:inference",
                ],
                [f"{STAGE}.predictions", f"{STAGE}.counts"],
                name="label",
                namespace=STAGE,
                tags=[STAGE, GPU],
            )
        ]
    )
