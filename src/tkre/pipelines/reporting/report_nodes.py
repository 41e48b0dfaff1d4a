"""Errors and model cards of cells, and the report of an experiment (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import Cell, Experiment
from tkre.core.instance import Instance
from tkre.core.params import DEFAULT_LLM
from tkre.core.provenance import Environments, Lineage
from tkre.core.schema import RelationSchema
from tkre.evaluation import bootstrap
from tkre.evaluation import error_analysis as errors
from tkre.evaluation.calibrator import Calibrator
from tkre.evaluation.metrics import counts
from tkre.evaluation.params import ReportingParams
from tkre.generation.params import GenerationParams
from tkre.report.content import (
    Knowledge,
    ReportContent,
    ReportedCell,
    ReportedCorpus,
    ReportedSample,
)
from tkre.report.model_card import CardContent, model_card
from tkre.report.page import report_page
from tkre.report.params import PublishingParams

# Tables of an experiment that its page shows, by dataset; it need not have all.
TABLES = ("cells", "summary", "training_curves", "implicit", "diagnosis", "collapse",
          "calibration", "label_errors", "filter", "llms")  # fmt: skip


def list_errors(
    predictions: pd.DataFrame, rows: list[Instance], calibrator: Calibrator
) -> pd.DataFrame:
    """Lists what a classifier labelled wrongly, the most confident errors first."""
    return errors.errors_table(rows, predictions, calibrator)


def write_card(
    metrics: dict[str, Any],
    predictions: pd.DataFrame,
    measured: dict[str, Any],
    calibrator: Calibrator,
    lineage: Lineage,
    schema: RelationSchema,
    shots: dict[str, Any],
    training_rows: list[Instance],
    generation: dict[str, Any],
    reporting: ReportingParams,
    publishing: PublishingParams,
    cell: Cell,
    scored_on: str,
) -> str:
    """Writes the card of a classifier: what it is, how well it does, what it was made from."""
    scored = counts(
        predictions["gold"].tolist(),
        predictions["predicted"].tolist(),
        metrics["negative"],
        "micro",
    )
    interval = bootstrap.interval(
        scored,
        resamples=reporting.resamples,
        confidence=reporting.confidence,
        seed=reporting.seed,
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
            rows=scored_on,
            called=_called(GenerationParams(**generation)),
            reporting=reporting,
            card=publishing.card,
        )
    )


def describe_environment(*lineages: Lineage) -> Environments:
    """Records the environment of the report and those of the classifiers' training."""
    return Environments.of(lineages)


def write_report(
    spec: Experiment,
    reporting: ReportingParams,
    publishing: PublishingParams,
    generation: dict[str, Any],
    environment: Environments,
    explanation_prompt: str,
    synthesis_prompt: str,
    name: str,
    **inputs: Any,
) -> str:
    """Writes the report of an experiment as one HTML page."""
    parsed = GenerationParams(**generation)
    return report_page(
        ReportContent(
            experiment=name,
            spec=spec,
            reporting=reporting,
            page=publishing.page,
            cells=[_cell(n, inputs) for n in _numbers(inputs, "metrics")],
            samples=[_sample(n, inputs) for n in _numbers(inputs, "shots")],
            corpora=[
                ReportedCorpus(inputs[f"schema_{n}"], inputs[f"reading_{n}"])
                for n in _numbers(inputs, "schema")
            ],
            tables={name: inputs[name] for name in TABLES if name in inputs},
            environment=environment.reported,
            prompts={
                "explanation_prompt": explanation_prompt, "synthesis_prompt": synthesis_prompt,
            },
            called=_called(parsed),
            backend={name: parsed.of_llm(name).backend for name in _called(parsed)},
        )
    )  # fmt: skip


def _cell(n: int, inputs: dict[str, Any]) -> ReportedCell:
    return ReportedCell(
        inputs[f"metrics_{n}"],
        inputs[f"lineage_{n}"],
        inputs[f"scores_{n}"],
        inputs[f"errors_{n}"],
    )


def _sample(n: int, inputs: dict[str, Any]) -> ReportedSample:
    if f"yield_{n}" not in inputs:
        return ReportedSample(inputs[f"shots_{n}"])
    kinds = ("explanation_responses", "synthesis_responses")
    responses = [response.to_dict() for kind in kinds for response in inputs[f"{kind}_{n}"]]
    knowledge = Knowledge(
        inputs[f"yield_{n}"],
        inputs[f"rejects_{n}"],
        inputs[f"explained_{n}"],
        inputs[f"synthetic_{n}"],
        responses,
    )
    return ReportedSample(inputs[f"shots_{n}"], knowledge)


def _called(generation: GenerationParams) -> dict[str, str]:
    """Names of the models, by llm."""
    return {name: generation.of_llm(name).called for name in (DEFAULT_LLM, *generation.llms)}


def _numbers(inputs: dict[str, Any], what: str) -> list[int]:
    names = (name.rpartition("_") for name in inputs)
    return sorted(int(number) for kind, _, number in names if kind == what)
