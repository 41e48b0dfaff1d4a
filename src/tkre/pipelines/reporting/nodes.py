"""Scores, tables, figures, model cards and reports of cells and experiments (CPU)."""

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
    bootstrap,
    calibration_report,
    error_analysis,
    implicit_relations,
    llm_comparison,
    manifest,
    natural_text,
    results,
    teacher,
)
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.manifest import Manifest
from tkre.evaluation.metrics import counts
from tkre.evaluation.params import CalibrationParams, ReportingParams
from tkre.evaluation.predictions import sentences_of
from tkre.generation.annotation import Annotation, instances_of
from tkre.generation.params import GenerationParams
from tkre.report.content import (
    ReportContent,
    ReportedAnnotations,
    ReportedCell,
    ReportedCorpus,
    ReportedSample,
)
from tkre.report.figures import FIGURES, drawable
from tkre.report.model_card import CardContent, model_card
from tkre.report.page import report_page
from tkre.report.params import PublishingParams
from tkre.report.teacher import needs_in_words
from tkre.training.recipes import Variant, axes_of
from tkre.training.stages import STAGES

# Tables of an experiment that its report shows; it need not have all.
TABLES = ("cells", "summary", "training_curves", "implicit", "diagnosis", "collapse",
          "calibration", "label_errors", "filter", "llms", "teacher", "natural")  # fmt: skip
# Knowledge of a sample: arguments of nodes, fields of ``llm_comparison.Knowledge``.
KNOWLEDGE = ("yields", "rejects", "synthetic", "explanation_responses", "synthesis_responses")
# The same of annotated rows, where there are any.
ANNOTATIONS = ("annotation_responses", "review_report")
# Answers that a cell was made from (``evaluation.teacher``).
ASKED = ("explanation_responses", "synthesis_responses", "annotation_responses")


def score(
    predictions: pd.DataFrame,
    rows: list[Instance],
    training_rows: list[Instance],
    schema: RelationSchema,
    lineage: Lineage,
    corpus: CorpusParams,
    variant: Variant,
    cell: Cell,
) -> dict[str, Any]:
    """Scores the predictions of a cell: overall, by relation, and as a confusion matrix.

    Differences between the recipe and data of the predictions and the current ones make it stale.
    """
    stale = variant.stale(lineage, instances_digest(training_rows))
    if predictions["id"].tolist() != [row.id for row in rows]:
        stale.append("the rows to be scored have changed since")
    metrics = results.score_cell(
        predictions,
        cell,
        schema.names,
        schema.negative,
        corpus.official_metric,
        lineage.seconds,
        cell.sample.synthetic if variant.uses_synthetic else 0,
        cell.sample.llm if variant.uses_knowledge else NO_LLM,
        stale,
    )
    return metrics | {"recipe": variant.settings}


def score_natural(
    predictions: pd.DataFrame,
    rows: list[Instance] | list[Annotation],
    training_rows: list[Instance],
    schema: RelationSchema,
    lineage: Lineage,
    corpus: CorpusParams,
    variant: Variant,
    cell: Cell,
) -> dict[str, Any]:
    """Scores the predictions of natural text, and splits false assertions by kind.

    The label of an annotated row is the language model's.
    """
    instances = instances_of(rows)
    metrics = score(predictions, instances, training_rows, schema, lineage, corpus, variant, cell)
    return metrics | natural_text.natural_scores(predictions, instances, schema.negative)


def score_teacher(
    predictions: pd.DataFrame,
    asked: list[Instance],
    rows: list[Instance],
    schema: RelationSchema,
    corpus: CorpusParams,
    variant: Variant,
    cell: Cell,
) -> dict[str, Any]:
    """Scores the answers of a language model, which was not trained.

    Rows that it was asked about and are no longer among those to be scored make it stale.
    """
    current = {row.id for row in rows}
    gone = [row.id for row in asked if row.id not in current]
    metrics = results.score_cell(
        predictions, cell, schema.names, schema.negative, corpus.official_metric,
        seconds=0.0, synthetic=0, llm=cell.sample.llm,
        stale=["the rows to be scored have changed since"] if gone else [],
    )  # fmt: skip
    return metrics | {"recipe": variant.settings}


def evaluate_calibration(
    predictions: pd.DataFrame, calibrator: Calibrator, metrics: dict[str, Any]
) -> dict[str, Any]:
    """Measures on the scored rows whether probabilities and thresholds keep what they promise."""
    return calibration_report.score_calibration(predictions, calibrator, metrics)


def list_errors(
    predictions: pd.DataFrame, rows: list[Instance] | list[Annotation], calibrator: Calibrator
) -> pd.DataFrame:
    """Lists wrong predictions, the most confident ones first."""
    return error_analysis.errors_table(instances_of(rows), predictions, calibrator)


def write_card(
    metrics: dict[str, Any],
    predictions: pd.DataFrame,
    measured: dict[str, Any],
    calibrator: Calibrator,
    lineage: Lineage,
    schema: RelationSchema,
    shots: dict[str, Any],
    training_rows: list[Instance],
    generation: GenerationParams,
    reporting: ReportingParams,
    publishing: PublishingParams,
    cell: Cell,
    scored_on: str,
    natural_metrics: dict[str, Any] | None = None,
    natural_measured: dict[str, Any] | None = None,
) -> str:
    """Writes the card of a classifier: purpose, scores, origin."""
    gold, predicted = predictions["gold"].tolist(), predictions["predicted"].tolist()
    interval = bootstrap.row_interval(
        counts(gold, predicted, metrics["negative"], "micro"), sentences_of(predictions), reporting
    )
    return model_card(
        CardContent(
            cell=cell,
            metrics=metrics,
            interval=interval,
            calibrator=calibrator,
            measured=measured,
            lineage=lineage,
            schema=schema,
            shots=shots,
            training_rows=len(training_rows),
            annotated=sum(row.annotated for row in training_rows),
            reviewed=sum(row.reviewed for row in training_rows),
            rows=scored_on,
            called=_called(generation),
            reporting=reporting,
            card=publishing.card,
            natural_metrics=natural_metrics,
            natural_measured=natural_measured,
        )
    )


def collect_cells(**inputs: Any) -> pd.DataFrame:
    """Puts the scores of all cells of an experiment into one table."""
    return results.cells_table(_metrics(inputs))


def collect_natural(reporting: ReportingParams, **inputs: Any) -> pd.DataFrame:
    """Puts what cells do on natural text into one table."""
    metrics = _numbered(inputs, "natural_metrics")
    scores = _numbered(inputs, "natural_calibration_scores")
    return natural_text.natural_table(metrics, scores, reporting)


def summarise(reporting: ReportingParams, experiment: Experiment, **inputs: Any) -> pd.DataFrame:
    """Averages over seeds and compares every variant with the baseline."""
    baseline = experiment.baseline or reporting.baseline
    predictions = _numbered(inputs, "predictions")
    return results.summary_table(_metrics(inputs), predictions, baseline, reporting)


def describe_samples(**inputs: Any) -> pd.DataFrame:
    """Counts rows, shortfalls, synthetic sentences and rejects of each sample."""
    return results.samples_table(
        *(_numbered(inputs, name) for name in ("reading", "shots", "yields"))
    )


def measure_filter(cells: pd.DataFrame, *scores: dict[str, Any]) -> pd.DataFrame:
    """Sets what filters find, and the F1 they save, beside what noise costs."""
    return llm_comparison.filter_table(cells, scores)


def list_label_errors(**inputs: Any) -> pd.DataFrame:
    """Lists the support rows whose labels are most suspected."""
    shots, label_errors = (_numbered(inputs, name) for name in ("shots", "label_errors"))
    samples = (s["sample"] for s in shots)
    return llm_comparison.label_errors_table(dict(zip(samples, label_errors, strict=True)))


def compare_llms(cells: pd.DataFrame, generation: GenerationParams, **inputs: Any) -> pd.DataFrame:
    """Sets language models side by side: yield, validity, diversity, F1 with their knowledge."""
    knowledge = [llm_comparison.Knowledge(**given) for given in _records(inputs, *KNOWLEDGE)]
    words = generation.synthesis.overlap_words
    return llm_comparison.llms_table(knowledge, cells, _called(generation), words)


def compare_teacher(reporting: ReportingParams, **inputs: Any) -> pd.DataFrame:
    """Sets classifiers beside the language model that labelled some of their rows."""
    names = ("metrics", "predictions", "effort", "speed")
    cells = []
    for given in _records(inputs, *names, *ASKED):
        asked = [given.pop(name) for name in ASKED if name in given]
        needless = "effort" in given or given["metrics"]["llm"] == NO_LLM
        answers = sum(response.settled for responses in asked for response in responses)
        known = answers if asked or needless else None
        needs = needs_in_words(given["metrics"], Variant(**given["metrics"]["recipe"]))
        cells.append(teacher.ComparedCell(**given, needs=needs, answers=known))
    return teacher.teacher_table(cells, reporting)


def follow_training(**inputs: Any) -> pd.DataFrame:
    """Collects losses and validation scores by epoch."""
    stages = {f"{stage}_losses": stage for stage in STAGES}
    stages["finetuning_losses"] = results.FINETUNING
    records = [
        {stage: cell[name] for name, stage in stages.items() if name in cell}
        for cell in _records(inputs, *stages)
    ]
    return results.training_curves(_numbered(inputs, "metrics"), records)


def draw_figures(reporting: ReportingParams, experiment: Experiment, **inputs: Any) -> list[Any]:
    """Draws all figures of an experiment, in the order of ``report.figures.drawable``."""
    records = ("metrics", "calibration_scores", "natural_calibration_scores")
    sources = inputs | {name: found for name in records if (found := _numbered(inputs, name))}
    recipes = {m["variant"]: Variant(**m["recipe"]) for m in sources["metrics"]}
    kinds = [FIGURES[name] for name in drawable(axes_of(experiment, recipes))]
    baseline = experiment.baseline or reporting.baseline
    return [kind.draw(sources[kind.reads], baseline) for kind in kinds if kind.reads in sources]


def mark_implicit(
    rows: list[Instance], schema: RelationSchema, explained: list[Instance] | None = None
) -> pd.DataFrame:
    """Splits scored rows into those that state their relation in words and those that imply it.

    Without a variant that needs explanations there are no triggers of the support to tell by.
    """
    return implicit_relations.split_by_explicitness(rows, explained or [], schema)


def compare_implicit(reporting: ReportingParams, **inputs: Any) -> pd.DataFrame:
    """Scores explicit and implicit rows apart, by variant."""
    names = ("metrics", "predictions", "explicitness")
    metrics, predictions, marks = (_numbered(inputs, name) for name in names)
    return implicit_relations.implicit_table(metrics, predictions, marks, reporting)


def diagnose(reporting: ReportingParams, **inputs: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Lists the relations that are taken for one another, and signs of collapse of every cell."""
    names = ("metrics", "predictions", "schema", "class_centroids", "alignment_uniformity")
    cells = [error_analysis.DiagnosedCell(**given) for given in _records(inputs, *names)]
    pairs = error_analysis.confused_pairs(cells, reporting.diagnosis)
    return pairs, error_analysis.collapse_table(cells)


def collect_calibration(*scores: dict[str, Any]) -> pd.DataFrame:
    """Averages calibration and selective scores over seeds."""
    return calibration_report.calibration_table(scores)


def write_manifest(
    generation: GenerationParams, calibration: CalibrationParams, **inputs: Any
) -> Manifest:
    """Records what the results of an experiment were made from and with."""
    cells = ("cell", "lineage", "metrics", "predictions", "natural_metrics")
    return manifest.manifest_of(
        _records(inputs, "reading", "corpus"),
        _records(inputs, "sample", "support", *ASKED),
        _records(inputs, *cells),
        {"generation": generation, "calibration": calibration},
    )


def write_report(
    spec: Experiment,
    reporting: ReportingParams,
    publishing: PublishingParams,
    generation: GenerationParams,
    manifest: Manifest,
    explanation_prompt: str,
    synthesis_prompt: str,
    name: str,
    annotation_prompt: str | None = None,
    **inputs: Any,
) -> str:
    """Writes the report of an experiment as one HTML page."""
    cells = _records(
        inputs, "metrics", "lineage", "calibration_scores", "errors",
        "natural_calibration_scores", "natural_errors", "probes",
    )  # fmt: skip
    samples = _records(inputs, "shots", "explained", *ANNOTATIONS, *KNOWLEDGE)
    annotations = _records(inputs, "unlabelled_report", "annotation_yield")
    taught = _records(inputs, "unannotated_report")
    prompts = {"explanation_prompt": explanation_prompt, "synthesis_prompt": synthesis_prompt}
    if annotation_prompt is not None:
        prompts["annotation_prompt"] = annotation_prompt
    return report_page(
        ReportContent(
            experiment=name,
            spec=spec,
            reporting=reporting,
            page=publishing.page,
            cells=[ReportedCell(**given) for given in cells],
            samples=[_sample(**given) for given in samples],
            corpora=[ReportedCorpus(**g) for g in _records(inputs, "schema", "reading")],
            tables={name: inputs[name] for name in TABLES if name in inputs},
            annotations=[ReportedAnnotations(**given) for given in annotations],
            taught=[given["unannotated_report"] for given in taught],
            environment=manifest.reported,
            prompts=prompts,
            called=_called(generation),
            backend={name: generation.of_llm(name).backend for name in _called(generation)},
        )
    )


def _sample(
    shots: dict[str, Any],
    review_report: dict[str, Any] | None = None,
    **knowledge: Any,
) -> ReportedSample:
    known = llm_comparison.Knowledge(**knowledge) if knowledge else None
    return ReportedSample(shots, known, review_report)


def _called(generation: GenerationParams) -> dict[str, str]:
    """Names of the models, by llm."""
    return {name: generation.of_llm(name).called for name in (DEFAULT_LLM, *generation.llms)}


def _metrics(inputs: dict[str, Any]) -> list[dict[str, Any]]:
    """Scores of cells, with those on natural text where there are any."""
    return [
        results.with_natural(given["metrics"], given.get("natural_metrics"))
        for given in _records(inputs, "metrics", "natural_metrics")
    ]


def _numbered(inputs: dict[str, Any], name: str) -> list[Any]:
    """The inputs ``<name>_0``, ``<name>_1``, ... in order; some numbers may be missing."""
    return [record[name] for record in _records(inputs, name)]


def _records(inputs: dict[str, Any], *names: str) -> list[dict[str, Any]]:
    """The inputs ``<name>_<number>`` by name, one record for each number, in order."""
    records: dict[int, dict[str, Any]] = {}
    for key, value in inputs.items():
        name, _, number = key.rpartition("_")
        if name in names:
            records.setdefault(int(number), {})[name] = value
    return [records[number] for number in sorted(records)]
