"""The graph of an experiment, stage by stage."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from tkre.pipelines import data_generation, finetuning, knowledge_pretraining, reporting
from tkre.project.config import ExperimentConfig


def stages_of(config: ExperimentConfig, experiment: str) -> dict[str, Pipeline]:
    """The pipelines of an experiment, by stage."""
    cells = config.cells(experiment)
    score_on = config.experiments[experiment].score_on
    encoders = {cell: home for cell in cells if (home := config.encoder(cell))}
    pretrained_on = [sample for chain in encoders.values() for sample in chain.samples]
    samples = list(dict.fromkeys([*(cell.sample for cell in cells), *pretrained_on]))
    knowing = [cell.sample for cell, variant in cells.items() if variant.uses_knowledge]
    knowing = list(dict.fromkeys([*knowing, *pretrained_on]))
    judge = config.parameters.generation.filtering.backbone
    trained = {cell: encoders.get(cell) for cell, variant in cells.items() if variant.finetuning}
    teachers = [cell for cell, variant in cells.items() if variant.in_context]
    asked = {cell.sample.golden for cell in teachers}
    taught = {cell.sample.corpus for cell, variant in cells.items() if variant.teacher}
    texts = {cell: config.text(cell, variant, score_on) for cell, variant in cells.items()}
    timed = [cell for cell in trained if cell.sample.golden in asked]
    return {
        "data_generation": data_generation.create_pipeline(
            samples, knowing, judge, teachers, score_on, taught
        ),
        "knowledge_pretraining": knowledge_pretraining.create_pipeline(cells, encoders),
        "finetuning": finetuning.create_pipeline(
            cells, encoders, score_on, knowing, judge, texts, timed
        ),
        "reporting": reporting.create_pipeline(
            experiment, cells, knowing, score_on, config.axes(experiment), trained, texts
        ),
    }
