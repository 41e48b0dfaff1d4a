"""The graph: support, synthetic sentences and an encoder -> classifier -> predictions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import chain as joined

from kedro.pipeline import Pipeline

from tkre.core.cells import Cell, EncoderChain, KShotSample, Rows
from tkre.pipelines.data_generation.gpu_nodes import scoring_of
from tkre.pipelines.finetuning import gpu_nodes, nodes
from tkre.pipelines.namespaces import (
    GPU,
    SCORED,
    CellText,
    Step,
    Template,
    at_cell,
    at_sample,
)
from tkre.training.recipes import Variant

STAGE = "finetuning"

TRAINED = ["classifier", "finetuning_losses", "lineage"]
CLASS_CENTROIDS = Step(
    gpu_nodes.measure_class_centroids,
    ["classifier", "backbone", "validation", "schema"],
    ["class_centroids", "alignment_uniformity"],
    tags=(GPU,),
)


def _predict(kind: str, rows: str, *, natural: bool = False) -> Step:
    """Labels rows, which have the shares of labels of natural text or not."""
    func = gpu_nodes.predict_natural if natural else gpu_nodes.predict
    read = ["classifier", rows, "training_rows", "params:variant"]
    return Step(func, read, f"{kind}_predictions", f"predict_{kind}", (GPU,))


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
TEACH = Template(_predict("unannotated", "unannotated", natural=True))
FIT_CALIBRATOR = Step(
    nodes.fit_calibrator,
    ["validation_predictions", "schema", "lineage", "params:calibration", "cell"],
    "calibrator",
)
FIT_CALIBRATORS = Step(
    nodes.fit_calibrators,
    ["annotated_validation_predictions", "validation_predictions", "schema", "lineage",
     "params:calibration", "cell"],
    ["calibrator", "balanced_calibrator"],
)  # fmt: skip
ANNOTATION_JUDGEMENTS = Template(
    Step(
        scoring_of("annotated"),
        ["backbone", "explained", "annotated_training", "schema", "params:generation.filtering",
         "sample"],
        "annotated_probabilities",
        tags=(GPU,),
    ),
    Step(
        nodes.judge_annotations,
        ["annotated_training", "annotated_probabilities", "schema", "params:generation.filtering"],
        "annotation_judgements",
    ),
)  # fmt: skip
LABEL_ERRORS = Template(
    Step(
        scoring_of("support"),
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
    texts: Mapping[Cell, CellText],
    timed: Iterable[Cell] = (),
) -> Pipeline:
    """Classifiers of cells and their predictions.

    Args:
        cells: Cells with their variants.
        encoders: Stages of the encoder of each cell that has one.
        score_on: Rows to label.
        with_knowledge: Samples whose golden labels are searched for errors.
        judge: Name of the catalog entry ``backbones.<judge>`` that judges golden labels, and
            those of annotated rows.
        texts: Kinds of text that cells are calibrated and scored on.
        timed: Cells whose speed is measured.
    """
    plain = dict.fromkeys(sample.plain for sample in with_knowledge)
    teachers = _teachers(cells)
    taught = dict.fromkeys(cell.sample.with_annotations for cell in teachers)
    judged = dict.fromkeys(
        cell.sample.with_annotations
        for cell, variant in cells.items()
        if variant.judges_annotations and cell.sample.annotated
    )
    return Pipeline(
        joined(
            *(at_sample(STAGE, LABEL_ERRORS, sample, judge) for sample in plain),
            *(at_sample(STAGE, ANNOTATION_JUDGEMENTS, sample, judge) for sample in judged),
            *(
                at_sample(STAGE, _unannotated(annotated=sample.annotated > 0), sample)
                for sample in taught
            ),
            *(at_cell(STAGE, TEACH, teacher) for teacher in dict.fromkeys(teachers.values())),
            *(
                at_cell(
                    STAGE,
                    template(variant, score_on, encoders.get(cell), texts[cell]),
                    cell,
                    variant.backbone,
                    encoders.get(cell),
                    teacher=teachers.get(cell),
                )
                for cell, variant in cells.items()
                if variant.in_context is None
            ),
            *(at_cell(STAGE, SPEED[score_on], cell) for cell in timed),
        )
    )


def _teachers(cells: Mapping[Cell, Variant]) -> dict[Cell, Cell]:
    """The cells whose classifiers teach others, by those of the others."""
    variants = {cell.variant: variant for cell, variant in cells.items()}
    return {
        cell: Cell(variants[name].read_of(cell.sample), name)
        for cell, variant in cells.items()
        if (name := variant.teacher)
    }


@cache
def _unannotated(*, annotated: bool) -> Template:
    """The node that takes the rows for a teacher, annotated ones left out where there are any."""
    read = ["folder", "params:corpus", "pool", "support", "validation", "development", "test",
            "natural_test", "params:generation.synthesis", "sample"]  # fmt: skip
    read += ["annotated"] if annotated else []
    return Template(Step(nodes.select_unannotated, read, ["unannotated", "unannotated_report"]))


def template(
    variant: Variant,
    score_on: Rows,
    chain: EncoderChain | None,
    text: CellText,
) -> Template:
    """The nodes that a variant needs: it reads only what its recipe uses."""
    classifier, finetuning = variant.classifier, variant.finetuning
    assert classifier is not None  # a language model in its place trains nothing
    rows = ["explained" if classifier.uses_knowledge else "support"]
    rows += ["synthetic"] if classifier.synthetic else []
    if finetuning is None:
        rows += ["annotated_training"] if text.kept_out else []
        return _setfit(tuple(rows), score_on, text)
    knowledge = None if chain is None else tuple(chain.namespaces)
    natural = ["unannotated", "teacher_predictions"] if variant.teacher else []
    if text.kept_out:
        rows += ["annotated" if text.cross_fitted else "annotated_training"]
        rows += ["train"] if finetuning.true_labels else []
        rows += ["annotation_judgements"] if finetuning.annotation_filter else []
        natural += [] if text.cross_fitted else ["annotated_validation"]
        natural += ["annotation_judgements"] if finetuning.annotation_weights else []
    return _classifier(tuple(rows), score_on, knowledge, tuple(natural), text)


@cache
def _setfit(rows: tuple[str, ...], score_on: Rows, text: CellText) -> Template:
    """The model of SetFit is not saved: it labels all rows when it is trained."""
    names = ("backbone", "training_rows", "validation", "schema", "cell")
    inputs = {name: name for name in names} | {"setfit": "params:variant.setfit"}
    inputs["scored"] = SCORED[score_on]
    outputs = [f"{score_on}_predictions", "validation_predictions", "lineage"]
    if text.natural_test:
        inputs["natural_test"] = "natural_test"
        outputs.append("natural_predictions")
    if text.kept_out:
        inputs["annotated_validation"] = "annotated_validation"
        outputs.append("annotated_validation_predictions")
    train = Step(gpu_nodes.train_setfit, inputs, outputs, f"train_setfit_{score_on}", (GPU,))
    return Template(
        _training_rows(rows), train, FIT_CALIBRATORS if text.kept_out else FIT_CALIBRATOR
    )


@cache
def _classifier(
    rows: tuple[str, ...],
    score_on: Rows,
    knowledge: tuple[str, ...] | None,
    natural: tuple[str, ...],
    text: CellText,
) -> Template:
    return Template(
        _training_rows(rows),
        _finetune(knowledge, natural, cross_fitted=text.cross_fitted),
        _predict(score_on, SCORED[score_on], natural=text.natural_labels),
        CLASS_CENTROIDS,
        _predict("validation", "validation"),
        *([_predict("natural", "natural_test", natural=True)] if text.natural_test else []),
        *(
            [_predict("annotated_validation", "annotated_validation", natural=True)]
            if text.kept_out and not text.cross_fitted
            else []
        ),
        FIT_CALIBRATORS if text.kept_out else FIT_CALIBRATOR,
    )


def _training_rows(names: tuple[str, ...]) -> Step:
    """The node that puts the training rows together, by its inputs."""
    if annotated := {"annotated", "annotated_training"} & set(names):
        given = {"annotated" if name in annotated else name: name for name in names}
        return Step(nodes.golden_and_annotated_rows, given, "training_rows")
    node = nodes.golden_and_synthetic_rows if "synthetic" in names else nodes.golden_rows
    return Step(node, list(names), "training_rows")


def _finetune(
    knowledge: tuple[str, ...] | None, natural: tuple[str, ...], *, cross_fitted: bool
) -> Step:
    """Fine-tunes a backbone, or an encoder whose lineage says that it has learnt ``knowledge``."""
    names = ["backbone", "training_rows", "validation", "schema", "cell", *natural]
    recipe = ["finetuning"]
    if knowledge is not None:
        names += ["encoder", *knowledge]
        recipe.append("pretraining")
    inputs = {name: name for name in names} | {n: f"params:variant.{n}" for n in recipe}
    inputs["head_first"] = "params:corpus.head_first"
    more = ["annotated_validation_predictions"] if cross_fitted else []
    return Step(gpu_nodes.finetune_classifier, inputs, [*TRAINED, *more], "finetune", (GPU,))
