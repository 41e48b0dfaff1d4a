"""The pipelines by name: every experiment, and the stages of the default one."""

from __future__ import annotations

from functools import cache

from kedro.pipeline import Pipeline

from tkre.core.cells import Cell, parse_cell
from tkre.pipelines.namespaces import DeferredPipeline
from tkre.project.config import Book
from tkre.project.config_loader import read_book

STAGES = ("data_generation", "knowledge_pretraining", "finetuning", "reporting")


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines of the project.

    ``kedro run`` runs the default experiment; ``--pipelines semeval`` another one, from raw files
    to its report; ``--pipelines finetuning`` one stage of the default one. Tags (the stages,
    ``gpu``) and namespaces (``newsroom.k8``) narrow any of them.

    What is wrong in ``conf/`` is refused here. The graphs are made when they are used: there are
    some dozen experiments, and Kedro registers them all in every command.
    """
    book = read_book()
    graphs = _Graphs(book, parse_cell(book.parameters.inference.classifier))
    default = book.parameters.default_experiment
    return {
        "__default__": graphs.experiment(default),
        **{stage: graphs.stage(default, stage) for stage in STAGES},
        "inference": graphs.inference(),
        **{name: graphs.experiment(name) for name in book.experiments},
    }


class _Graphs:
    """Makes graphs when they are used; nodes, and what they are made of, are imported then."""

    def __init__(self, book: Book, classifier: Cell) -> None:
        self._classifier = classifier

        @cache
        def stages(experiment: str) -> dict[str, Pipeline]:
            from tkre.project.stages import stages_of

            return stages_of(book, experiment)

        self._stages = stages

    def experiment(self, name: str) -> Pipeline:
        return DeferredPipeline(lambda: self._stages(name).values())

    def stage(self, experiment: str, stage: str) -> Pipeline:
        return DeferredPipeline(lambda: [self._stages(experiment)[stage]])

    def inference(self) -> Pipeline:
        def parts() -> list[Pipeline]:
            from tkre.pipelines.inference import create_pipeline

            return [create_pipeline(self._classifier)]

        return DeferredPipeline(parts)
