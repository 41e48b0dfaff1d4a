"""The graph: sentences + the newest classifier, its calibrator record, schema -> predictions."""

from __future__ import annotations

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell
from tkre.pipelines.inference import gpu_nodes, nodes
from tkre.pipelines.namespaces import GPU, PREFLIGHT

STAGE = "inference"


def create_pipeline(cell: Cell, calibrator: str = "calibrator") -> Pipeline:
    """Labels the sentences of ``inference.sentences``.

    Args:
        cell: The cell whose newest classifier and calibrator record are used.
        calibrator: Dataset of the calibrator, of those of the cell (``CellText``).
    """
    classifier, calibrator = f"{cell.name}.classifier", f"{cell.name}.{calibrator}"
    schema = f"{cell.sample.corpus}.schema"
    sentences, instances, threshold, raw, predictions = (
        f"{STAGE}.{name}"
        for name in ("sentences", "instances", "threshold", "raw_predictions", "predictions")
    )
    steps = [
        (nodes.read_sentences, [sentences, schema, "params:inference"], instances, PREFLIGHT),
        (nodes.choose_threshold, [calibrator, "params:inference"], threshold, PREFLIGHT),
        (gpu_nodes.label, [classifier, calibrator, instances], raw, GPU),
        (nodes.answer, [raw, instances, calibrator, threshold], predictions, None),
    ]
    return Pipeline(
        [
            Node(
                func, inputs, output,
                name=func.__name__, namespace=STAGE, tags=[STAGE, *([tag] if tag else [])],
            )
            for func, inputs, output, tag in steps
        ]
    )  # fmt: skip
