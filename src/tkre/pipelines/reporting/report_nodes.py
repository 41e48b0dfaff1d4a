"""What readers are shown of cells and experiments: errors, cards, the page (CPU)."""

from __future__ import annotations

from typing import Any

import pandas as pd

from tkre.core.cells import Cell, Experiment
from tkre.core.instance import from_frame
from tkre.core.params import DEFAULT_LLM
from tkre.core.provenance import Environment, Lineage, environment
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
TABLES = ("cells", "summary", "learning", "implicit", "diagnosis", "collapse", "calibration", "label_errors",
          "filter", "llms")  # fmt: skip


def list_errors(
    predictions: pd.DataFrame, rows: pd.DataFrame, calibrator: dict[str, Any]
) -> pd.DataFrame:
    """Lists what a classifier labelled wrongly, the most confident errors first."""
    return errors.errors_table(from_frame(rows), predictions, Calibrator.model_validate(calibrator))


def write_card(
    metrics: dict[str, Any],
    predictions: pd.DataFrame,
    measured: dict[str, Any],
    calibrator: dict[str, Any],
    lineage: dict[str, Any],
    schema: dict[str, Any],
    shots: dict[str, Any],
    training_rows: pd.DataFrame,
    generation: GenerationParams,
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
            calibrator=Calibrator.model_validate(calibrator),
            measured=measured,
            lineage=Lineage.model_validate(lineage),
            schema=RelationSchema.model_validate(schema),
            shots=shots,
            training_rows=len(training_rows),
            rows=scored_on,
            called=_called(generation),
            reporting=reporting,
            card=publishing.card,
        )
    )


def describe_environment(*lineages: dict[str, Any]) -> dict[str, Any]:
    """Records where the scores are put together, and where their classifiers were trained."""
    trained = {
        step.environment.model_dump_json(exclude={"finished"}): step.environment
        for lineage in lineages
        for step in Lineage.model_validate(lineage).steps
        if step.environment is not None
    }
    return {
        "reported": environment().model_dump(mode="json"),
        "trained": [place.model_dump(mode="json") for place in trained.values()],
    }


def write_report(
    spec: Experiment,
    reporting: ReportingParams,
    publishing: PublishingParams,
    generation: GenerationParams,
    environment: dict[str, Any],
    explanation_prompt: str,
    synthesis_prompt: str,
    name: str,
    **inputs: Any,
) -> str:
    """Writes the page of an experiment: everything that it found, for the browser."""
    return report_page(
        ReportContent(
            experiment=name,
            spec=spec,
            reporting=reporting,
            page=publishing.page,
            cells=[_cell(n, inputs) for n in _numbers(inputs, "metrics")],
            samples=[_sample(n, inputs) for n in _numbers(inputs, "shots")],
            corpora=[
                ReportedCorpus(
                    RelationSchema.model_validate(inputs[f"schema_{n}"]), inputs[f"reading_{n}"]
                )
                for n in _numbers(inputs, "schema")
            ],
            tables={name: inputs[name] for name in TABLES if name in inputs},
            environment=Environment.model_validate(environment["reported"]),
            prompts={
                "explanation_prompt": explanation_prompt, "synthesis_prompt": synthesis_prompt,
            },
            called=_called(generation),
            backend={name: generation.of_llm(name).backend for name in _called(generation)},
        )
    )  # fmt: skip


def _cell(n: int, inputs: dict[str, Any]) -> ReportedCell:
    return ReportedCell(
        inputs[f"metrics_{n}"],
        Lineage.model_validate(inputs[f"lineage_{n}"]),
        inputs[f"scores_{n}"],
        inputs[f"errors_{n}"],
    )


def _sample(n: int, inputs: dict[str, Any]) -> ReportedSample:
    if f"yield_{n}" not in inputs:
        return ReportedSample(inputs[f"shots_{n}"])
    knowledge = Knowledge(
        inputs[f"yield_{n}"],
        inputs[f"rejects_{n}"],
        from_frame(inputs[f"explained_{n}"]),
        from_frame(inputs[f"synthetic_{n}"]),
        [*inputs[f"explanation_responses_{n}"], *inputs[f"synthesis_responses_{n}"]],
    )
    return ReportedSample(inputs[f"shots_{n}"], knowledge)


def _called(generation: GenerationParams) -> dict[str, str]:
    """What language models are called, by llm."""
    return {name: generation.of_llm(name).called for name in (DEFAULT_LLM, *generation.llms)}


def _numbers(inputs: dict[str, Any], what: str) -> list[int]:
    names = (name.rpartition("_") for name in inputs)
    return sorted(int(number) for kind, _, number in names if kind == what)
