"""The graph beside the scores: where cells fail, how they learnt, what can be trusted."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from functools import cache
from itertools import chain as joined
from typing import Literal

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample
from tkre.pipelines.namespaces import at_cell, at_sample
from tkre.pipelines.reporting import nodes

STAGE = "reporting"


def _marks(rows: str, *, explained: bool) -> Node:
    """Which rows are implicit, by the corpus's own flags and, where there are any, explanations.

    Named apart: experiments with and without explanations of one sample may run together.
    """
    by = "" if explained else "_flagged"
    return Node(
        nodes.mark_implicit,
        [rows, "schema", *(["explained"] if explained else [])],
        f"{rows}{by}_explicitness",
        name=f"mark_implicit_{rows}{by}",
    )


MARK_IMPLICIT = {
    (rows, explained): Pipeline([_marks(rows, explained=explained)], tags=STAGE)
    for rows in ("test", "development")
    for explained in (True, False)
}


def look_closer(
    experiment: str,
    cells: Sequence[Cell],
    with_knowledge: Iterable[KShotSample],
    score_on: Literal["test", "development"],
    measured: Container[Cell],
) -> Pipeline:
    """Which rows and which relations the cells of an experiment do badly on.

    Args:
        experiment: Its name.
        cells: All of them.
        with_knowledge: The samples whose support is explained.
        score_on: Which predictions are scored.
        measured: The cells that have ``centres``.
    """
    # Explanations are of the K-shot sets, which all samples of a corpus, K and seed share: rows are
    # marked once for all of them, and by one llm, the first, so that cells can be compared.
    explained: dict[KShotSample, KShotSample] = {}
    for sample in with_knowledge:
        explained.setdefault(sample.golden, sample.plain)
    homes = {cell.sample.golden: explained.get(cell.sample.golden) for cell in cells}
    marks = {
        golden: at_sample(MARK_IMPLICIT[score_on, knowing is not None], knowing or golden)
        for golden, knowing in homes.items()
    }
    given: dict[str, str] = {}
    for n, cell in enumerate(cells):
        [mark] = marks[cell.sample.golden]
        [marked] = mark.outputs
        given |= {
            f"metrics_{n}": f"{cell.name}.{score_on}_metrics",
            f"predictions_{n}": f"{cell.name}.{score_on}_predictions",
            f"schema_{n}": f"{cell.sample.corpus}.schema",
            f"explicitness_{n}": marked,
        }
        if cell in measured:
            given |= {f"{what}_{n}": f"{cell.name}.{what}" for what in ("centres", "spread")}

    def inputs(*kinds: str) -> dict[str, str]:
        names = [name for name in given if name.rpartition("_")[0] in kinds]
        return {name: name for name in names} | {"reporting": "params:reporting"}

    template = Pipeline(
        [
            Node(
                nodes.compare_implicit,
                inputs("metrics", "predictions", "explicitness"),
                "implicit",
                name="compare_implicit",
            ),
            Node(
                nodes.diagnose,
                inputs("metrics", "predictions", "schema", "centres", "spread"),
                ["diagnosis", "collapse"],
                name="diagnose",
            ),
        ],
        tags=STAGE,
    )
    tables = Pipeline(template, namespace=experiment, inputs=given, parameters={"params:reporting"})
    return Pipeline([*joined(*marks.values()), tables])


def follow_training(
    experiment: str,
    trained: Mapping[Cell, EncoderChain | None],
    score_on: Literal["test", "development"],
) -> Pipeline:
    """How the training of the cells went."""
    given: dict[str, str] = {}
    for n, (cell, chain) in enumerate(trained.items()):
        given |= {
            f"metrics_{n}": f"{cell.name}.{score_on}_metrics",
            f"finetuning_losses_{n}": f"{cell.name}.finetuning_losses",
        }
        for stage, home in chain.stages if chain else ():
            given[f"{stage}_losses_{n}"] = f"{home.name}.{stage}_losses"
    outputs = ["learning", "learning_curves", "learning_curves_page"]
    node = Node(
        nodes.follow_training, {name: name for name in given}, outputs, name="follow_training"
    )
    parts = [node] if given else []
    return Pipeline(Pipeline(parts, tags=STAGE), namespace=experiment, inputs=given)


def measure_calibration(
    experiment: str, cells: Sequence[Cell], score_on: Literal["test", "development"]
) -> Pipeline:
    """Whether the probabilities of an experiment's classifiers can be trusted.

    Args:
        experiment: Its name.
        cells: All of them.
        score_on: Which predictions are scored.
    """
    given = {
        f"scores_{n}": f"{cell.name}.{score_on}_calibration_scores" for n, cell in enumerate(cells)
    }
    template = Pipeline(
        [
            Node(nodes.collect_calibration, list(given), "calibration", name="collect_calibration"),
            Node(
                nodes.plot_calibration,
                list(given),
                ["calibration_figures", "calibration_figures_page"],
                name="plot_calibration",
            ),
        ],
        tags=STAGE,
    )
    tables = Pipeline(template, namespace=experiment, inputs=given)
    scores = joined(*(at_cell(_calibration_scores(score_on), cell) for cell in cells))
    return Pipeline([*scores, tables])


@cache
def _calibration_scores(score_on: Literal["test", "development"]) -> Pipeline:
    evaluate = Node(
        nodes.evaluate_calibration,
        [f"{score_on}_predictions", "calibrator", f"{score_on}_metrics"],
        f"{score_on}_calibration_scores",
        name=f"evaluate_calibration_{score_on}",
    )
    return Pipeline([evaluate], tags=STAGE)


def doubt_labels(
    experiment: str, cells: Sequence[Cell], with_knowledge: Iterable[KShotSample]
) -> Pipeline:
    """Which golden labels are doubted, and what the filter of synthetic ones is worth.

    Args:
        experiment: Its name.
        cells: All of them.
        with_knowledge: The samples that have knowledge.
    """
    knowing = list(dict.fromkeys(sample.plain for sample in with_knowledge))
    shots = {f"shots_{n}": f"{sample.name}.shots" for n, sample in enumerate(knowing)}
    doubts = {f"doubts_{n}": f"{sample.name}.doubts" for n, sample in enumerate(knowing)}
    filtered = dict.fromkeys(cell.sample for cell in cells if cell.sample.filtered)
    scores = {f"scores_{n}": f"{sample.name}.filter_scores" for n, sample in enumerate(filtered)}
    listed = Node(
        nodes.list_doubts, {n: n for n in [*shots, *doubts]}, "doubts", name="list_doubts"
    )
    measured = Node(nodes.measure_filter, ["cells", *scores], "filter", name="measure_filter")
    parts = [*([listed] if knowing else []), *([measured] if filtered else [])]
    template = Pipeline(parts, tags=STAGE)
    given = (shots | doubts if knowing else {}) | (scores if filtered else {})
    cells_table = {"cells": f"{experiment}.cells"} if filtered else {}
    return Pipeline(template, namespace=experiment, inputs=given | cells_table)


def compare_llms(experiment: str, with_knowledge: Iterable[KShotSample]) -> Pipeline:
    """Which language model wrote how much, how well, and to what use; nothing if there is but one.

    Args:
        experiment: Its name.
        with_knowledge: The samples that have knowledge.
    """
    written = list(dict.fromkeys(sample.plain for sample in with_knowledge))
    if len({sample.llm for sample in written}) < 2:
        return Pipeline([])
    kinds = ("yield", "rejects", "explanation_responses", "synthesis_responses", "synthetic")
    given = {
        f"{kind}_{n}": f"{sample.name}.{kind}" for n, sample in enumerate(written) for kind in kinds
    }
    node = Node(
        nodes.compare_llms,
        {name: name for name in given} | {"cells": "cells", "generation": "params:generation"},
        "llms",
        name="compare_llms",
    )
    return Pipeline(
        Pipeline([node], tags=STAGE),
        namespace=experiment,
        inputs=given | {"cells": f"{experiment}.cells"},
        parameters={"params:generation"},
    )
