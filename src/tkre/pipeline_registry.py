"""The pipelines by name: every experiment, and the stages of the default one."""

from __future__ import annotations

from kedro.pipeline import Pipeline

from tkre.book import Book
from tkre.configuration import read_book
from tkre.grid import parse_cell
from tkre.pipelines import (
    data_generation,
    finetuning,
    inference,
    knowledge_pretraining,
    reporting,
)


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines of the project.

    ``kedro run`` runs the default experiment; ``--pipelines semeval`` another one, from raw files
    to its report; ``--pipelines finetuning`` one stage of the default one. Tags (the stages,
    ``gpu``) and namespaces (``newsroom.k8``) narrow any of them.
    """
    book = read_book()
    experiments = {name: stages_of(book, name) for name in book.experiments}
    default = experiments[book.parameters.default_experiment]
    return {
        "__default__": Pipeline(list(default.values())),
        **default,
        "inference": inference.create_pipeline(parse_cell(book.parameters.inference.classifier)),
        **{name: Pipeline(list(stages.values())) for name, stages in experiments.items()},
    }


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
