"""The graph: predictions of all cells -> scores -> tables, figures and page of the experiment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain as joined
from typing import Literal

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample
from tkre.pipelines.namespaces import SCORED, at_cell
from tkre.pipelines.reporting import nodes
from tkre.pipelines.reporting.details import (
    STAGE,
    compare_llms,
    doubt_labels,
    follow_training,
    look_closer,
    measure_calibration,
)
from tkre.pipelines.reporting.publishing import publish

# What samples scores along an axis of the grid; along a parameter it needs the recipes too.
ALONG = {
    "shots": nodes.plot_along_shots,
    "synthetic": nodes.plot_along_synthetic,
    "noise": nodes.plot_along_noise,
}


def _along(axis: str, metrics: list[str]) -> Node:
    outputs = [f"f1_by_{axis}", f"f1_by_{axis}_page"]
    if axis == "parameter":
        inputs = ["cells", *metrics]
        return Node(nodes.plot_along_parameter, inputs, outputs, name="plot_along_parameter")
    return Node(ALONG[axis], "cells", outputs, name=f"plot_along_{axis}")


def create_pipeline(
    experiment: str,
    cells: Sequence[Cell],
    with_knowledge: Iterable[KShotSample],
    score_on: Literal["test", "development"],
    axes: Sequence[str],
    trained: Mapping[Cell, EncoderChain | None],
) -> Pipeline:
    """The report of an experiment.

    Args:
        experiment: Its name.
        cells: All of them.
        with_knowledge: The samples that have a yield to report.
        score_on: Which predictions are scored.
        axes: What its scores are drawn along (``ExperimentConfig.axes``).
        trained: The cells whose training is ours, with the stages of their encoders.
    """
    found = [
        _tables(experiment, cells, with_knowledge, score_on, axes),
        look_closer(experiment, cells, with_knowledge, score_on, trained),
        follow_training(experiment, trained, score_on),
        measure_calibration(experiment, cells, score_on),
        doubt_labels(experiment, cells, with_knowledge),
        compare_llms(experiment, with_knowledge),
    ]
    tables = {name for part in found for name in part.all_outputs()}
    return Pipeline(
        [
            *joined(*(at_cell(_scores(score_on), cell) for cell in cells)),
            *found,
            *publish(experiment, cells, with_knowledge, score_on, trained, tables),
        ]
    )


@cache
def _scores(score_on: Literal["test", "development"]) -> Pipeline:
    score = Node(
        nodes.score,
        [
            f"{score_on}_predictions",
            SCORED[score_on],
            "training_rows",
            "schema",
            "lineage",
            "params:corpus",
            "params:variant",
            "cell",
        ],
        f"{score_on}_metrics",
        name=f"score_{score_on}",
    )
    return Pipeline([score], tags=STAGE)


def _tables(
    experiment: str,
    cells: Sequence[Cell],
    with_knowledge: Iterable[KShotSample],
    score_on: Literal["test", "development"],
    axes: Sequence[str],
) -> Pipeline:
    """Scores of all cells side by side, and what their samples had to work with."""
    predictions, metrics = f"{score_on}_predictions", f"{score_on}_metrics"
    # Plain names here, the cells' own ones where the template is placed.
    of_metrics = {f"metrics_{n}": f"{cell.name}.{metrics}" for n, cell in enumerate(cells)}
    of_predictions = {
        f"predictions_{n}": f"{cell.name}.{predictions}" for n, cell in enumerate(cells)
    }
    samples = list(dict.fromkeys(cell.sample.plain for cell in cells))
    corpora = list(dict.fromkeys(sample.corpus for sample in samples))
    of_corpora = {f"reading_{n}": f"{name}.reading_report" for n, name in enumerate(corpora)}
    of_samples = {f"shots_{n}": f"{sample.name}.shots" for n, sample in enumerate(samples)}
    of_yields = {
        f"yield_{n}": f"{sample.name}.yield"
        for n, sample in enumerate(samples)
        if sample in {knowing.plain for knowing in with_knowledge}
    }
    template = Pipeline(
        [
            Node(nodes.collect_cells, list(of_metrics), "cells", name="collect_cells"),
            Node(
                nodes.summarise,
                {n: n for n in [*of_metrics, *of_predictions]}
                | {"reporting": "params:reporting", "experiment": "params:experiment"},
                "summary",
                name="summarise",
            ),
            Node(
                nodes.describe_samples,
                {n: n for n in [*of_corpora, *of_samples, *of_yields]},
                "samples",
                name="describe_samples",
            ),
            Node(nodes.plot_f1, "cells", ["f1_by_variant", "f1_by_variant_page"], name="plot_f1"),
            Node(
                nodes.plot_confusion,
                list(of_metrics),
                ["confusion", "confusion_page"],
                name="plot_confusion",
            ),
            *(_along(axis, list(of_metrics)) for axis in axes),
        ],
        tags=STAGE,
    )
    return Pipeline(
        template,
        namespace=experiment,
        inputs=of_metrics | of_predictions | of_corpora | of_samples | of_yields,
        parameters={
            "params:reporting": "params:reporting",
            "params:experiment": f"params:experiments.{experiment}",
        },
    )
