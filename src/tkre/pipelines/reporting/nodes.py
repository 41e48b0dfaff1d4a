"""What is reported of cells and experiments (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import Cell, Experiment
from tkre.core.instance import Instance
from tkre.core.params import DEFAULT_LLM, NO_LLM
from tkre.core.provenance import Lineage, instances_digest
from tkre.core.schema import RelationSchema
from tkre.corpora.params import CorpusParams
from tkre.evaluation import (
    calibration_report,
    error_analysis,
    implicit_relations,
    llm_comparison,
    results,
)
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.training_curves import TrainedCell, training_curves
from tkre.generation.params import GenerationParams
from tkre.report.figures import FIGURES, drawable
from tkre.training.recipes import Variant, axes_of
from tkre.training.stages import STAGES


def score(
    predictions: pd.DataFrame,
    rows: list[Instance],
    training_rows: list[Instance],
    schema: RelationSchema,
    lineage: Lineage,
    corpus: CorpusParams,
    variant: dict[str, Any],
    cell: Cell,
) -> dict[str, Any]:
    """Scores the predictions of a cell: overall, by relation, and as a confusion matrix.

    What they were made by and of is compared with what would be made now.
    """
    # Kedro cannot validate a group of parameters and a part of it, in either order.
    recipe = Variant(**variant)
    stale = recipe.stale(lineage)
    if lineage.steps and lineage.steps[-1].data != instances_digest(training_rows):
        stale.append("its training rows have changed since")
    if predictions["id"].tolist() != [row.id for row in rows]:
        stale.append("the rows to be scored have changed since")
    metrics = results.score_cell(
        predictions,
        cell,
        schema.names,
        schema.negative,
        corpus.official_metric,
        lineage.seconds,
        cell.sample.synthetic if recipe.uses_synthetic else 0,
        cell.sample.llm if recipe.uses_knowledge else NO_LLM,
        stale,
    )
    return metrics | {"recipe": recipe.settings}


def collect_cells(*metrics: dict[str, Any]) -> pd.DataFrame:
    """Puts the scores of all cells of an experiment into one table."""
    return results.cells_table(metrics)


def summarise(reporting: ReportingParams, experiment: Experiment, **inputs: Any) -> pd.DataFrame:
    """Averages over seeds and compares every variant with the baseline."""
    metrics, predictions = (_numbered(inputs, what) for what in ("metrics", "predictions"))
    baseline = experiment.baseline or reporting.baseline
    return results.summary_table(metrics, predictions, baseline, reporting)


def describe_samples(**inputs: Any) -> pd.DataFrame:
    """Counts what each sample had to work with: rows, shortfalls, synthetic sentences, rejects."""
    return results.samples_table(
        _numbered(inputs, "reading"), _numbered(inputs, "shots"), _numbered(inputs, "yield")
    )


def measure_filter(cells: pd.DataFrame, *scores: dict[str, Any]) -> pd.DataFrame:
    """Sets what filters find, and the F1 they save, beside what noise costs."""
    return llm_comparison.filter_table(cells, scores)


def list_label_errors(**inputs: Any) -> pd.DataFrame:
    """Lists the support rows whose labels are most suspected."""
    shots, label_errors = (_numbered(inputs, what) for what in ("shots", "label_errors"))
    named = (s["sample"] for s in shots)
    return llm_comparison.label_errors_table(dict(zip(named, label_errors, strict=True)))


def compare_llms(cells: pd.DataFrame, generation: dict[str, Any], **inputs: Any) -> pd.DataFrame:
    """Sets language models side by side: yield, validity, diversity, F1 with their knowledge."""
    kinds = ("yield", "rejects", "explanation_responses", "synthesis_responses", "synthetic")
    written = [
        llm_comparison.Written(
            yields,
            rejects,
            [*explained, *synthesised],
            synthetic,
        )
        for yields, rejects, explained, synthesised, synthetic in zip(
            *(_numbered(inputs, kind) for kind in kinds), strict=True
        )
    ]
    parsed = GenerationParams(**generation)
    called = {name: parsed.of_llm(name).called for name in {DEFAULT_LLM, *parsed.llms}}
    return llm_comparison.llms_table(written, cells, called, parsed.synthesis.overlap_words)


def follow_training(**inputs: Any) -> pd.DataFrame:
    """Collects losses and validation scores by epoch."""
    return training_curves(
        [
            TrainedCell(
                metrics,
                {
                    stage: inputs[key]
                    for stage in STAGES
                    if (key := f"{stage}_losses_{n}") in inputs
                },
                inputs[f"finetuning_losses_{n}"],
            )
            for n, metrics in enumerate(_numbered(inputs, "metrics"))
        ]
    )


def draw_figures(reporting: ReportingParams, experiment: Experiment, **inputs: Any) -> list[Any]:
    """Draws all figures of an experiment, in the order of ``report.figures.drawable``."""
    tables = ("cells", "summary", "training_curves")
    sources: dict[str, Any] = {name: inputs[name] for name in tables if name in inputs}
    sources |= {name: _numbered(inputs, name) for name in ("metrics", "calibration_scores")}
    recipes = {m["variant"]: Variant(**m["recipe"]) for m in sources["metrics"]}
    baseline = experiment.baseline or reporting.baseline
    return [
        FIGURES[name].draw(sources[FIGURES[name].reads], baseline)
        for name in drawable(axes_of(experiment, recipes))
        if FIGURES[name].reads in sources
    ]


def mark_implicit(
    rows: list[Instance], schema: RelationSchema, explained: list[Instance] | None = None
) -> pd.DataFrame:
    """Tells which rows to be scored state their relation in words and which imply it.

    Args:
        rows: Those to be scored.
        schema: Of the corpus.
        explained: The support with its triggers; None where no variant needs explanations.
    """
    return implicit_relations.split_by_explicitness(rows, explained or [], schema)


def compare_implicit(reporting: ReportingParams, **inputs: Any) -> pd.DataFrame:
    """Scores explicit and implicit rows apart, by variant."""
    return implicit_relations.implicit_table(
        _numbered(inputs, "metrics"),
        _numbered(inputs, "predictions"),
        _numbered(inputs, "explicitness"),
        reporting,
    )


def diagnose(reporting: ReportingParams, **inputs: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lists the relations that are taken for one another, and signs of collapse of every cell."""
    kinds = ("metrics", "predictions", "schema")
    cells = [
        error_analysis.DiagnosedCell(
            metrics,
            predictions,
            schema,
            inputs.get(f"class_centroids_{number}"),
            inputs.get(f"alignment_uniformity_{number}"),
        )
        for number, (metrics, predictions, schema) in enumerate(
            zip(*(_numbered(inputs, kind) for kind in kinds), strict=True)
        )
    ]
    return error_analysis.confused_pairs(cells, reporting.diagnosis), error_analysis.cell_figures(
        cells
    )


def evaluate_calibration(
    predictions: pd.DataFrame, calibrator: Calibrator, metrics: dict[str, Any]
) -> dict[str, Any]:
    """Measures on the scored rows whether probabilities and thresholds keep what they promise."""
    return calibration_report.score_calibration(predictions, calibrator, metrics)


def collect_calibration(*scores: dict[str, Any]) -> pd.DataFrame:
    """Averages calibration and selective scores over seeds."""
    return calibration_report.calibration_table(scores)


def _numbered(inputs: dict[str, Any], what: str) -> list[Any]:
    """The inputs ``<what>_0``, ``<what>_1``, ... in order."""
    names = (name for name in inputs if name.startswith(f"{what}_"))
    return [inputs[name] for name in sorted(names, key=lambda name: int(name.split("_")[-1]))]
