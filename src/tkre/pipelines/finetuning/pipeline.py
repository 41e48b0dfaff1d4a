"""The graph: support, synthetic sentences and an encoder -> classifier -> predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import chain as joined
from typing import Literal

from kedro.pipeline import Node, Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample
from tkre.pipelines.finetuning import gpu_nodes, nodes
from tkre.pipelines.finetuning import gpu_nodes as others
from tkre.pipelines.namespaces import SCORED, at_cell, at_sample
from tkre.training.recipes import Variant

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


def _from_encoder(*knowledge: str) -> Node:
    """Fine-tunes an encoder that was pre-trained on some knowledge, which proves its lineage."""
    inputs = {
        "encoder": "encoder",
        "backbone": "backbone",
        "training_rows": "training_rows",
        "validation": "validation",
        "schema": "schema",
        "pretraining": "params:variant.pretraining",
        "finetuning": "params:variant.finetuning",
        "cell": "cell",
    }
    return Node(
        gpu_nodes.finetune_encoder,
        inputs | {name: name for name in knowledge},
        ["classifier", "finetuning_losses", "lineage"],
        name="finetune",
        tags="gpu",
    )


PREDICTIONS = {
    rows: Node(
        gpu_nodes.predict,
        ["classifier", scored],
        f"{rows}_predictions",
        name=f"predict_{rows}",
        tags="gpu",
    )
    for rows, scored in SCORED.items()
}


CENTRES = Node(
    gpu_nodes.measure_centres,
    ["classifier", "backbone", "validation", "schema"],
    ["centres", "spread"],
    name="measure_centres",
    tags="gpu",
)

# Whether its probabilities can be trusted is told by rows that it was not trained on.
PREDICT_VALIDATION = Node(
    gpu_nodes.predict,
    ["classifier", "validation"],
    "validation_predictions",
    name="predict_validation",
    tags="gpu",
)
FIT_CALIBRATOR = Node(
    nodes.fit_calibrator,
    ["validation_predictions", "schema", "lineage", "params:calibration", "cell"],
    "calibrator",
    name="fit_calibrator",
)

# Its model is no classifier of ours and is not saved: what is asked of it is asked at once.
SETFIT = {
    rows: Node(
        others.train_setfit,
        [
            "backbone",
            "training_rows",
            "validation",
            scored,
            "schema",
            "params:variant.setfit",
            "cell",
        ],
        [f"{rows}_predictions", "validation_predictions", "lineage"],
        name=f"train_setfit_{rows}",
        tags="gpu",
    )
    for rows, scored in SCORED.items()
}


# Which golden labels a classifier doubts that has not seen them.
DOUBTS = Pipeline(
    [
        Node(
            gpu_nodes.score_support,
            ["backbone", "explained", "synthetic", "schema", "params:generation", "sample"],
            "support_probabilities",
            name="score_support",
            tags="gpu",
        ),
        Node(
            nodes.doubt_support,
            ["explained", "support_probabilities", "schema"],
            "doubts",
            name="doubt_support",
        ),
    ],
    tags=STAGE,
)


def create_pipeline(
    cells: Mapping[Cell, Variant],
    encoders: Mapping[Cell, EncoderChain],
    score_on: Literal["test", "development"],
    with_knowledge: Iterable[KShotSample],
    judge: str,
) -> Pipeline:
    """Classifiers of cells and their predictions.

    Args:
        cells: With their variants.
        encoders: How the encoders of those cells are made that have one.
        score_on: Which rows are labelled, once.
        with_knowledge: The samples whose golden labels are looked at.
        judge: Name of the catalog entry ``backbones.<judge>`` that looks at them.
    """
    plain = dict.fromkeys(sample.plain for sample in with_knowledge)
    return Pipeline(
        joined(
            *(at_sample(DOUBTS, sample, judge) for sample in plain),
            *(
                at_cell(
                    template(variant, score_on, encoders.get(cell)),
                    cell,
                    variant.backbone,
                    encoders.get(cell),
                )
                for cell, variant in cells.items()
            ),
        )
    )


def template(
    variant: Variant, score_on: Literal["test", "development"], chain: EncoderChain | None
) -> Pipeline:
    """The nodes that a variant needs: it reads only what its recipe uses."""
    if variant.finetuning is None:
        return _setfit(score_on)
    rows = GOLDEN_EXPLAINED if variant.finetuning.uses_knowledge else GOLDEN
    if variant.finetuning.synthetic:
        rows = GOLDEN_AND_SYNTHETIC
    return _classifier(rows, score_on, None if chain is None else tuple(chain.homes))


@cache
def _setfit(score_on: Literal["test", "development"]) -> Pipeline:
    return Pipeline([GOLDEN, SETFIT[score_on], FIT_CALIBRATOR], tags=STAGE)


@cache
def _classifier(
    rows: Node, score_on: Literal["test", "development"], knowledge: tuple[str, ...] | None
) -> Pipeline:
    start = FROM_BACKBONE if knowledge is None else _from_encoder(*knowledge)
    return Pipeline(
        [rows, start, PREDICTIONS[score_on], CENTRES, PREDICT_VALIDATION, FIT_CALIBRATOR],
        tags=STAGE,
    )
