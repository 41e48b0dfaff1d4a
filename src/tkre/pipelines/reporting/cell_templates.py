"""Nodes that score one cell, and those that mark the rows of a sample."""

from __future__ import annotations

from functools import cache

from tkre.core.cells import Rows
from tkre.pipelines.namespaces import GPU, SCORED, CellText, Step, Template
from tkre.pipelines.reporting import gpu_nodes, nodes


@cache
def of_cell(score_on: Rows, text: CellText, *, saved: bool) -> Template:
    """Scores and errors; a model card and probes where the classifier is saved."""
    steps = [
        *_scores(score_on, SCORED[score_on], text.calibrator),
        *(_scores(text.natural, text.rows, "calibrator", natural=True) if text.natural else ()),
    ]
    metrics, scores = f"{score_on}_metrics", f"{score_on}_calibration_scores"
    names = ("calibrator", "lineage", "schema", "shots", "training_rows", "cell")
    inputs = {name: name for name in names}
    inputs |= {name: f"params:{name}" for name in ("generation", "reporting", "publishing")}
    inputs |= {"metrics": metrics, "predictions": f"{score_on}_predictions", "measured": scores,
               "scored_on": f"scored_on_{score_on}"}  # fmt: skip
    if text.natural:
        inputs |= {
            "natural_metrics": f"{text.natural}_metrics",
            "natural_measured": f"{text.natural}_calibration_scores",
        }
    if saved:
        steps += [
            Step(nodes.write_card, inputs, f"{score_on}_model_card", f"write_card_{score_on}"),
            Step(gpu_nodes.probe, ["classifier", "schema"], "probes", tags=(GPU,)),
        ]
    return Template(*steps)


def _scores(kind: str, rows: str, calibrator: str, *, natural: bool = False) -> list[Step]:
    """Scores of predictions: ``test``, ``development``, or of natural text.

    Args:
        kind: Beginning of the names of the predictions and scores.
        rows: Dataset of the rows.
        calibrator: Dataset of the calibrator of this kind of text.
        natural: Whether figures of natural text are added.
    """
    predictions, metrics = f"{kind}_predictions", f"{kind}_metrics"
    return [
        Step(
            nodes.score_natural if natural else nodes.score,
            [predictions, rows, "training_rows", "schema", "lineage", "params:corpus",
             "params:variant", "cell"],
            metrics,
            f"score_{kind}",
        ),
        Step(
            nodes.evaluate_calibration,
            [predictions, calibrator, metrics],
            f"{kind}_calibration_scores",
            f"evaluate_calibration_{kind}",
        ),
        Step(
            nodes.list_errors,
            [predictions, rows, calibrator],
            f"{kind}_errors",
            f"list_errors_{kind}",
        ),
    ]  # fmt: skip


@cache
def of_teacher(score_on: Rows) -> Template:
    """Scores of a language model that is the classifier: it has no calibrator."""
    return Template(
        Step(
            nodes.score_teacher,
            [f"{score_on}_predictions", f"{score_on}_asked", SCORED[score_on], "schema",
             "params:corpus", "params:variant", "cell"],
            f"{score_on}_metrics",
            f"score_{score_on}",
        )
    )  # fmt: skip


@cache
def mark(rows: str, *, explained: bool) -> Template:
    """Which rows are implicit, by flags of the corpus and, where there are any, explanations.

    The names differ: experiments with and without explanations of one sample may run together.
    """
    kind = rows if explained else f"{rows}_flagged"
    inputs = [rows, "schema", *(["explained"] if explained else [])]
    return Template(
        Step(nodes.mark_implicit, inputs, f"{kind}_explicitness", f"mark_implicit_{kind}")
    )
