"""The graph of what readers are shown: errors and cards of cells, the page of an experiment."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from functools import cache
from itertools import chain as joined
from typing import Literal

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, KShotSample
from tkre.pipelines.namespaces import SCORED, at_cell
from tkre.pipelines.reporting import report_nodes as nodes
from tkre.pipelines.reporting.details import STAGE

_OF_PROJECT = ("explanation_prompt", "synthesis_prompt")
_OF_KNOWLEDGE = ("yield", "rejects", "explained", "synthetic", "explanation_responses",
                 "synthesis_responses")  # fmt: skip
_PARAMETERS = ("reporting", "publishing", "generation")


def publish(
    experiment: str,
    cells: Sequence[Cell],
    with_knowledge: Iterable[KShotSample],
    score_on: Literal["test", "development"],
    trained: Container[Cell],
    tables: Container[str],
) -> list[Node | Pipeline]:
    """Errors and cards of all cells, and the page of their experiment.

    Args:
        experiment: Its name.
        cells: All of them.
        with_knowledge: The samples that have knowledge.
        score_on: Which predictions are scored.
        trained: The cells whose classifiers are ours, and saved: they have a card.
        tables: The datasets that are made of the experiment.
    """
    return [
        *joined(*(at_cell(_of_cell(score_on, saved=cell in trained), cell) for cell in cells)),
        _page(experiment, cells, with_knowledge, score_on, tables),
    ]


@cache
def _of_cell(score_on: Literal["test", "development"], *, saved: bool) -> Pipeline:
    """The errors of a cell, and the card of its classifier where that is saved."""
    predictions = f"{score_on}_predictions"
    errors = Node(
        nodes.list_errors,
        [predictions, SCORED[score_on], "calibrator"],
        f"{score_on}_errors",
        name=f"list_errors_{score_on}",
    )
    card = Node(
        nodes.write_card,
        [
            f"{score_on}_metrics",
            predictions,
            f"{score_on}_calibration_scores",
            "calibrator",
            "lineage",
            "schema",
            "shots",
            "training_rows",
            "params:generation",
            "params:reporting",
            "params:publishing",
            "cell",
            f"scored_on_{score_on}",
        ],
        f"{score_on}_model_card",
        name=f"write_card_{score_on}",
    )
    return Pipeline([errors, card] if saved else [errors], tags=STAGE)


def _page(
    experiment: str,
    cells: Sequence[Cell],
    with_knowledge: Iterable[KShotSample],
    score_on: Literal["test", "development"],
    tables: Container[str],
) -> Pipeline:
    knowing = list(dict.fromkeys(sample.plain for sample in with_knowledge))
    samples = list(dict.fromkeys([*(cell.sample.plain for cell in cells), *knowing]))
    of_cells = {
        f"{what}_{n}": f"{cell.name}.{dataset}"
        for n, cell in enumerate(cells)
        for what, dataset in (
            ("metrics", f"{score_on}_metrics"),
            ("scores", f"{score_on}_calibration_scores"),
            ("errors", f"{score_on}_errors"),
            ("lineage", "lineage"),
        )
    }
    of_samples = {f"shots_{n}": f"{sample.name}.shots" for n, sample in enumerate(samples)} | {
        f"{what}_{n}": f"{sample.name}.{what}"
        for n, sample in enumerate(samples)
        if sample in knowing
        for what in _OF_KNOWLEDGE
    }
    of_corpora = {
        f"{what}_{n}": f"{corpus}.{dataset}"
        for n, corpus in enumerate(dict.fromkeys(sample.corpus for sample in samples))
        for what, dataset in (("schema", "schema"), ("reading", "reading_report"))
    }
    of_experiment = {table: f"{experiment}.{table}" for table in nodes.TABLES}
    made = {table: name for table, name in of_experiment.items() if name in tables}
    lineages = [name for name in of_cells if name.startswith("lineage_")]
    given = of_cells | of_samples | of_corpora | made | {name: name for name in _OF_PROJECT}
    given["name"] = f"{experiment}.name"
    parameters = {name: f"params:{name}" for name in _PARAMETERS} | {"spec": "params:experiment"}
    template = Pipeline(
        [
            Node(nodes.describe_environment, lineages, "environment", name="describe_environment"),
            Node(
                nodes.write_report,
                {name: name for name in given} | parameters | {"environment": "environment"},
                "report",
                name="write_report",
            ),
        ],
        tags=STAGE,
    )
    return Pipeline(
        template,
        namespace=experiment,
        inputs=given,
        parameters={f"params:{name}": f"params:{name}" for name in _PARAMETERS}
        | {"params:experiment": f"params:experiments.{experiment}"},
    )
