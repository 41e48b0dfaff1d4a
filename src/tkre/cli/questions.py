"""``kedro corpus questions``: what a language model is to answer, as a file for whoever answers."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pandas as pd
from kedro.framework.context import KedroContext
from kedro.pipeline import Pipeline

from tkre.cli.session import ENVIRONMENT, RAW, in_project, require_corpus, variant_of
from tkre.core.cells import Cell, KShotSample
from tkre.generation.llm.protocol import Request
from tkre.pipelines import data_generation
from tkre.pipelines.namespaces import LANGUAGE_MODEL, PREFLIGHT
from tkre.project import config_loader as configuration
from tkre.project.config import ExperimentConfig
from tkre.project.preflight import Plan, plan, run_in_memory


@click.command("questions")
@click.argument("name")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--variant", "-v", default="tkre_plus", show_default=True, help="What you mean to run."
)
@click.option("--shots", "-k", type=click.IntRange(1), default=8, show_default=True, help="K.")
@click.option(
    "--seed", type=click.IntRange(0), default=13, show_default=True, help="Of the sample."
)
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def questions_command(
    name: str, output: Path, variant: str, shots: int, seed: int, env: str | None
) -> None:
    """Writes what a run on the corpus NAME would ask to OUTPUT, JSON Lines, for others to answer.

    Only what no store has an answer to. Every line has a request_id, the messages, and the JSON
    schema of the answer; the answers go into the corpus's recordings.jsonl.
    """

    def write(context: KedroContext) -> int:
        if output.exists():
            raise FileExistsError(
                f"{output} is there already, and nothing is written over; name another file: only "
                "what still has no answer is written"
            )
        config = configuration.read_config()
        require_corpus(config, name)
        planned = planned_for(context, config, Cell(KShotSample(name, shots, seed), variant))
        missing = [request for part in planned for request in part.missing]
        if missing:
            output.write_text("".join(map(_line, missing)), encoding="utf-8")
        return len(missing)

    written: int = in_project(env, write)
    if not written:
        click.echo("nothing is left to ask: all is answered, or the variant asks nothing")
        return
    click.echo(f"{written} questions in {output}")
    click.echo(_NEXT.format(recordings=RAW / name / "recordings.jsonl"))


_NEXT = """\
Answer each with a JSON object of its schema, and put the answers into
{recordings}, a line each:
  {{"request_id": "<as in the question>", "response": <the JSON object>}}"""


def planned_for(context: KedroContext, config: ExperimentConfig, cell: Cell) -> list[Plan]:
    """What a cell would ask of language models; empty if its variant uses none.

    Raises:
        LookupError: There is no such variant.
    """
    if not variant_of(config, cell.variant).uses_knowledge:
        return []
    pipeline = _generation(config, _samples(config, cell))
    known = run_in_memory(pipeline.only_nodes_with_tags(PREFLIGHT), context.catalog)
    asking = pipeline.only_nodes_with_tags(LANGUAGE_MODEL)
    return plan(asking, context.catalog, known, config.parameters.generation)


def kept_of(context: KedroContext, config: ExperimentConfig, cell: Cell) -> pd.DataFrame:
    """What a run would keep of answers that are all there, and refuse: its yield by relation.

    Nothing is written.
    """
    samples = _samples(config, cell)
    known = run_in_memory(_generation(config, samples), context.catalog)
    return pd.concat([known[f"{sample.name}.yield"] for sample in samples], ignore_index=True)


def _samples(config: ExperimentConfig, cell: Cell) -> list[KShotSample]:
    """Whose knowledge a cell learns from."""
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
