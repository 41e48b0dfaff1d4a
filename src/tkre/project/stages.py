"""The graph of an experiment, stage by stage."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from tkre.pipelines import data_generation, finetuning, knowledge_pretraining, reporting
from tkre.project.config import Book


def stages_of(book: Book, experiment: str) -> dict[str, Pipeline]:
    """The pipelines of an experiment, by stage."""
    cells = book.cells(experiment)
    score_on = book.experiments[experiment].score_on
    encoders = {cell: home for cell in cells if (home := book.encoder(cell))}
    pretrained_on = [draw for chain in encoders.values() for draw in chain.draws]
    draws = list(dict.fromkeys([*(cell.draw for cell in cells), *pretrained_on]))
    knowing = [cell.draw for cell, variant in cells.items() if variant.uses_knowledge]
    knowing = list(dict.fromkeys([*knowing, *pretrained_on]))
    judge = book.parameters.generation.filtering.backbone
    trained = {cell: encoders.get(cell) for cell, variant in cells.items() if variant.finetuning}
    return {
        "data_generation": data_generation.create_pipeline(draws, knowing, judge),
        "knowledge_pretraining": knowledge_pretraining.create_pipeline(cells, encoders),
        "finetuning": finetuning.create_pipeline(cells, encoders, score_on, knowing, judge),
        "reporting": reporting.create_pipeline(
            experiment, list(cells), knowing, score_on, book.axes(experiment), trained
        ),
    }
