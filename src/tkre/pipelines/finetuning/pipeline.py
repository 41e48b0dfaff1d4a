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
Rows = Literal["test", "development"]

GOLDEN = Step(nodes.golden_rows, "support", "training_rows")
GOLDEN_EXPLAINED = Step(nodes.golden_rows, "explained", "training_rows")
GOLDEN_AND_SYNTHETIC = Step(
    nodes.golden_and_synthetic_rows, ["explained", "synthetic"], "training_rows"
)
GOLDEN_AND_ANNOTATED = Step(
    nodes.golden_and_annotated_rows, ["explained", "annotated"], "training_rows"
)
ALL_ROWS = Step(
    nodes.golden_and_annotated_rows, ["explained", "annotated", "synthetic"], "training_rows"
)
TRAINED = ["classifier", "finetuning_losses", "lineage"]
FROM_BACKBONE = Step(
    gpu_nodes.finetune_backbone,
    ["backbone", "training_rows", "validation", "schema", "params:variant.finetuning", "cell"],
    TRAINED,
    "finetune",
    (GPU,),
)
CLASS_CENTROIDS = Step(
    gpu_nodes.measure_class_centroids,
    ["classifier", "backbone", "validation", "schema"],
    ["class_centroids", "alignment_uniformity"],
    tags=(GPU,),
)
PREDICTIONS = {
    name: Step(
        gpu_nodes.predict, ["classifier", rows], f"{name}_predictions", f"predict_{name}", (GPU,)
    )
    for name, rows in (SCORED | {"validation": "validation"}).items()
}
SPEED = {
    name: Template(
        Step(
            gpu_nodes.measure_speed,
            ["classifier", rows],
            f"{name}_speed",
            f"measure_speed_{name}",
            (GPU,),
        )
    )
    for name, rows in SCORED.items()
}
FIT_CALIBRATOR = Step(
    nodes.fit_calibrator,
    ["validation_predictions", "schema", "lineage", "params:calibration", "cell"],
    "calibrator",
)
# The model of SetFit is not saved: it labels all rows when it is trained.
SETFIT = {
    name: Step(
        gpu_nodes.train_setfit,
        ["backbone", "training_rows", "validation", rows, "schema", "params:variant.setfit",
         "cell"],
        [f"{name}_predictions", "validation_predictions", "lineage"],
        f"train_setfit_{name}",
        (GPU,),
    )
    for name, rows in SCORED.items()
}  # fmt: skip
LABEL_ERRORS = Template(
    Step(
        gpu_nodes.score_support,
        ["backbone", "explained", "synthetic", "schema", "params:generation.filtering", "sample"],
        "support_probabilities",
        tags=(GPU,),
    ),
    Step(nodes.find_label_errors, ["explained", "support_probabilities", "schema"], "label_errors"),
)


def create_pipeline(
    cells: Mapping[Cell, Variant],
    encoders: Mapping[Cell, EncoderChain],
    score_on: Rows,
    with_knowledge: Iterable[KShotSample],
    judge: str,
    timed: Iterable[Cell] = (),
) -> Pipeline:
    """Classifiers of cells and their predictions.

    Args:
        cells: Cells with their variants.
        encoders: Stages of the encoder of each cell that has one.
        score_on: Rows to label.
        with_knowledge: Samples whose golden labels are searched for errors.
        judge: Name of the catalog entry ``backbones.<judge>`` that judges golden labels.
        timed: Cells whose speed is measured.
    """
    plain = dict.fromkeys(sample.plain for sample in with_knowledge)
    return Pipeline(
        joined(
            *(at_sample(STAGE, LABEL_ERRORS, sample, judge) for sample in plain),
            *(
                at_cell(
                    STAGE,
                    template(variant, score_on, encoders.get(cell), cell.sample.annotated > 0),
                    cell,
                    variant.backbone,
                    encoders.get(cell),
                )
                for cell, variant in cells.items()
                if variant.in_context is None
            ),
            *(at_cell(STAGE, SPEED[score_on], cell) for cell in timed),
        )
    )


def template(
    variant: Variant, score_on: Rows, chain: EncoderChain | None, annotated: bool
) -> Template:
    """The nodes that a variant needs: it reads only what its recipe uses.

    Args:
        variant: The variant.
        score_on: Rows to label.
        chain: Stages of its encoder; None for the backbone.
        annotated: Whether the sample has annotated rows.
    """
    if variant.finetuning is None:
        return _setfit(score_on)
    rows = GOLDEN_EXPLAINED if variant.finetuning.uses_knowledge else GOLDEN
    if variant.finetuning.synthetic:
        rows = GOLDEN_AND_SYNTHETIC
    if variant.finetuning.annotated and annotated:
        rows = ALL_ROWS if variant.finetuning.synthetic else GOLDEN_AND_ANNOTATED
    return _classifier(rows, score_on, None if chain is None else tuple(chain.namespaces))


@cache
def _setfit(score_on: Rows) -> Template:
    return Template(GOLDEN, SETFIT[score_on], FIT_CALIBRATOR)


@cache
def _classifier(rows: Step, score_on: Rows, knowledge: tuple[str, ...] | None) -> Template:
    return Template(
        rows,
        FROM_BACKBONE if knowledge is None else _from_encoder(knowledge),
        PREDICTIONS[score_on],
        CLASS_CENTROIDS,
        PREDICTIONS["validation"],
        FIT_CALIBRATOR,
    )


def _from_encoder(knowledge: tuple[str, ...]) -> Step:
    """Fine-tunes an encoder after checking by its lineage that it has learnt from ``knowledge``."""
    names = ("encoder", "backbone", "training_rows", "validation", "schema", "cell", *knowledge)
    recipe = {name: f"params:variant.{name}" for name in ("pretraining", "finetuning")}
    inputs = {name: name for name in names} | recipe
    return Step(gpu_nodes.finetune_encoder, inputs, TRAINED, "finetune", (GPU,))
