"""``kedro corpus questions``: the requests of a run, as a file to be answered elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

from tkre.cli.session import (
    RAW,
    Project,
    env_option,
    require_corpus,
    sample_options,
    session,
    variant_of,
)
from tkre.core.cells import Cell, KShotSample
from tkre.generation.llm.protocol import Request
from tkre.pipelines import data_generation
from tkre.pipelines.namespaces import LANGUAGE_MODEL, PREFLIGHT
from tkre.project.config import ExperimentConfig
from tkre.project.preflight import Plan, plan, run_in_memory


@click.command("questions")
@click.argument("name")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@sample_options
@env_option
def questions_command(
    name: str, output: Path, variant: str, shots: int, seed: int, env: str | None
) -> None:
    """Write unanswered questions of a run as JSON Lines.

    OUTPUT gets what a run on the corpus NAME would ask and no store has an answer to. Every line
    has a request_id, the messages, and the JSON schema of the answer; the answers go into the
    corpus's recordings.jsonl.
    """
    with session(env) as project:
        if output.exists():
            raise FileExistsError(
                f"{output} is there already, and nothing is written over; name another file: only "
                "what still has no answer is written"
            )
        plans = cell_plans(project, Cell(KShotSample(name, shots, seed), variant))
        missing = [request for part in plans for request in part.missing]
        if missing:
            output.write_text("".join(map(_line, missing)), encoding="utf-8")
    if not missing:
        click.echo("nothing is left to ask: all is answered, or the variant asks nothing")
        return
    click.echo(f"{len(missing)} questions in {output}")
    click.echo(_NEXT.format(recordings=RAW / name / "recordings.jsonl"))


_NEXT = """\
Answer each with a JSON object of its schema, and put the answers into
{recordings}, a line each:
  {{"request_id": "<as in the question>", "response": <the JSON object>}}"""


def cell_plans(project: Project, cell: Cell) -> list[Plan]:
    """Requests of a cell by language model; empty if its variant uses none.

    Raises:
        LookupError: There is no such corpus or variant.
    """
    catalog, config = project.catalog, project.config
    require_corpus(config, cell.sample.corpus)
    if not variant_of(config, cell.variant).uses_knowledge:
        return []
    pipeline = _generation(config, _samples(config, cell))
    known = run_in_memory(pipeline.only_nodes_with_tags(PREFLIGHT), catalog)
    asking = pipeline.only_nodes_with_tags(LANGUAGE_MODEL)
    return plan(asking, catalog, known, config.parameters.generation)


def cell_yield(catalog: CatalogProtocol, config: ExperimentConfig, cell: Cell) -> pd.DataFrame:
    """Yield by relation of a cell whose answers are all stored. Writes nothing."""
    samples = _samples(config, cell)
    known = run_in_memory(_generation(config, samples), catalog)
    return pd.concat([known[f"{sample.name}.yield"] for sample in samples], ignore_index=True)


def _samples(config: ExperimentConfig, cell: Cell) -> list[KShotSample]:
    """Samples whose knowledge a cell learns from."""
    chain = config.encoder(cell)
    return list(dict.fromkeys([cell.sample, *(chain.samples if chain else [])]))


def _generation(config: ExperimentConfig, samples: list[KShotSample]) -> Pipeline:
    backbone = config.parameters.generation.filtering.backbone
    return data_generation.create_pipeline(samples, samples, backbone)


def _line(request: Request) -> str:
    record = {
        "request_id": request.id,
        "messages": list(request.messages),
        "schema": request.schema,
    }
    return json.dumps(record, ensure_ascii=False) + "\n"
