"""The graph: predictions of all cells -> scores -> tables and figures of the experiment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from kedro.pipeline import Node, Pipeline

from tkre.grid import Cell, Draw
from tkre.pipelines.reporting import nodes
from tkre.pipelines.scoping import at_cell

STAGE = "reporting"


def create_pipeline(
    experiment: str,
    cells: Sequence[Cell],
    with_knowledge: Iterable[Draw],
    score_on: Literal["test", "development"],
) -> Pipeline:
    """The report of an experiment.

    Args:
        experiment: Its name.
        cells: All of them.
        with_knowledge: The draws that have a yield to report.
        score_on: Which predictions are scored.
    """
    predictions, metrics = f"{score_on}_predictions", f"{score_on}_metrics"
    scores = Pipeline(
        [
            Node(
                nodes.score,
                [predictions, "schema", "lineage", "params:corpus", "cell"],
                metrics,
                name=f"score_{score_on}",
            )
        ],
        tags=STAGE,
    )
    # Plain names here, the cells' own ones where the template is placed.
    of_metrics = {f"metrics_{n}": f"{cell.name}.{metrics}" for n, cell in enumerate(cells)}
    of_predictions = {
        f"predictions_{n}": f"{cell.name}.{predictions}" for n, cell in enumerate(cells)
    }
    draws = list(dict.fromkeys(cell.draw for cell in cells))
    corpora = list(dict.fromkeys(draw.corpus for draw in draws))
    of_corpora = {f"reading_{n}": f"{name}.reading_report" for n, name in enumerate(corpora)}
    of_draws = {f"shots_{n}": f"{draw.name}.shots" for n, draw in enumerate(draws)}
    of_yields = {
        f"yield_{n}": f"{draw.name}.yield"
        for n, draw in enumerate(draws)
        if draw in set(with_knowledge)
    }
    template = Pipeline(
        [
            Node(nodes.collect_cells, list(of_metrics), "cells", name="collect_cells"),
            Node(
                nodes.summarise,
                {n: n for n in [*of_metrics, *of_predictions]} | {"reporting": "params:reporting"},
                "summary",
                name="summarise",
            ),
            Node(
                nodes.describe_draws,
                {n: n for n in [*of_corpora, *of_draws, *of_yields]},
                "draws",
                name="describe_draws",
            ),
            Node(nodes.plot_f1, "cells", ["f1_by_variant", "f1_by_variant_page"], name="plot_f1"),
            Node(
                nodes.plot_confusion,
                list(of_metrics),
                ["confusion", "confusion_page"],
                name="plot_confusion",
            ),
        ],
        tags=STAGE,
    )
    tables = Pipeline(
        template,
        namespace=experiment,
        inputs=of_metrics | of_predictions | of_corpora | of_draws | of_yields,
        parameters={"params:reporting"},
    )
    return Pipeline([*(at_cell(scores, cell) for cell in cells), tables])
