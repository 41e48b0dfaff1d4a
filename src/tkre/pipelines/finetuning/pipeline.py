"""The graph: support, synthetic sentences and an encoder -> classifier -> predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import chain as joined
from typing import Literal

from kedro.pipeline import Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample
from tkre.pipelines.finetuning import gpu_nodes, nodes
from tkre.pipelines.namespaces import GPU, SCORED, Step, Template, at_cell, at_sample
from tkre.training.recipes import Variant

STAGE = "finetuning"

GOLDEN = Step(nodes.golden_rows, "support", "training_rows", name="golden_rows")
GOLDEN_EXPLAINED = Step(nodes.golden_rows, "explained", "training_rows", name="golden_rows")
GOLDEN_AND_SYNTHETIC = Step(
    nodes.golden_and_synthetic_rows,
    ["explained", "synthetic"],
    "training_rows",
    name="golden_and_synthetic_rows",
)

FROM_BACKBONE = Step(
    gpu_nodes.finetune_backbone,
    ["backbone", "training_rows", "validation", "schema", "params:variant.finetuning", "cell"],
    ["classifier", "finetuning_losses", "lineage"],
    name="finetune",
    tags=(GPU,),
)


def _from_encoder(*knowledge: str) -> Step:
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
    return Step(
        gpu_nodes.finetune_encoder,
        inputs | {name: name for name in knowledge},
        ["classifier", "finetuning_losses", "lineage"],
        name="finetune",
        tags=(GPU,),
    )


PREDICTIONS = {
    rows: Step(
        gpu_nodes.predict,
        ["classifier", scored],
        f"{rows}_predictions",
        name=f"predict_{rows}",
        tags=(GPU,),
    )
    for rows, scored in SCORED.items()
}


CLASS_CENTROIDS = Step(
    gpu_nodes.measure_class_centroids,
    ["classifier", "backbone", "validation", "schema"],
    ["class_centroids", "alignment_uniformity"],
    name="measure_class_centroids",
    tags=(GPU,),
)

# Whether its probabilities can be trusted is told by rows that it was not trained on.
PREDICT_VALIDATION = Step(
    gpu_nodes.predict,
    ["classifier", "validation"],
    "validation_predictions",
    name="predict_validation",
    tags=(GPU,),
)
FIT_CALIBRATOR = Step(
    nodes.fit_calibrator,
    ["validation_predictions", "schema", "lineage", "params:calibration", "cell"],
    "calibrator",
    name="fit_calibrator",
)

# Its model is no classifier of ours and is not saved: what is asked of it is asked at once.
SETFIT = {
    rows: Step(
        gpu_nodes.train_setfit,
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
        tags=(GPU,),
    )
    for rows, scored in SCORED.items()
}


# Golden labels that a classifier which has not seen them takes for errors.
LABEL_ERRORS = Template(
    Step(
        gpu_nodes.score_support,
        [
            "backbone",
            "explained",
            "synthetic",
            "schema",
            "params:generation.filtering",
            "sample",
        ],
        "support_probabilities",
        name="score_support",
        tags=(GPU,),
    ),
    Step(
        nodes.find_label_errors,
        ["explained", "support_probabilities", "schema"],
        "label_errors",
        name="find_label_errors",
    ),
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
            *(at_sample(STAGE, LABEL_ERRORS, sample, judge) for sample in plain),
            *(
                at_cell(
                    STAGE,
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
) -> Template:
    """The nodes that a variant needs: it reads only what its recipe uses."""
    if variant.finetuning is None:
        return _setfit(score_on)
    rows = GOLDEN_EXPLAINED if variant.finetuning.uses_knowledge else GOLDEN
    if variant.finetuning.synthetic:
        rows = GOLDEN_AND_SYNTHETIC
    return _classifier(rows, score_on, None if chain is None else tuple(chain.namespaces))


@cache
def _setfit(score_on: Literal["test", "development"]) -> Template:
    return Template(GOLDEN, SETFIT[score_on], FIT_CALIBRATOR)


@cache
def _classifier(
    rows: Step, score_on: Literal["test", "development"], knowledge: tuple[str, ...] | None
) -> Template:
    start = FROM_BACKBONE if knowledge is None else _from_encoder(*knowledge)
    return Template(
        rows, start, PREDICTIONS[score_on], CLASS_CENTROIDS, PREDICT_VALIDATION, FIT_CALIBRATOR
    )
