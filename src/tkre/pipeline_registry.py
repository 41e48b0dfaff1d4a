"""The pipelines by name: every experiment, and the stages of the default one."""

from __future__ import annotations

import sys
from functools import cache

from kedro.pipeline import Pipeline

from tkre.core.cells import Cell, parse_cell
from tkre.pipelines.namespaces import LazyPipeline
from tkre.project.config import ConfigurationError, ExperimentConfig
from tkre.project.config_loader import read_config

STAGES = ("data_generation", "knowledge_pretraining", "finetuning", "reporting")


def register_pipelines() -> dict[str, Pipeline]:
    """All pipelines of the project.

    ``kedro run`` runs the default experiment; ``--pipelines semeval`` another one, from raw files
    to its report; ``--pipelines finetuning`` one stage of the default one. Tags (the stages,
    ``gpu``) and namespaces (``newsroom.k8``) narrow any of them.

    What is wrong in ``conf/`` is refused here. The graphs are made when they are used: there are
    some dozen experiments, and Kedro registers them all in every command.
    """
    if "kedro_viz.server" in sys.modules:  # it registers pipelines to show them
        from tkre.project.viz import put_stages_first

        put_stages_first()
    config = read_config()
    graphs = _Graphs(config, parse_cell(config.parameters.inference.classifier))
    default = config.parameters.default_experiment
    return {
        "__default__": graphs.experiment(default),
        **{stage: graphs.stage(default, stage) for stage in STAGES},
        "inference": graphs.inference(),
        **{name: graphs.experiment(name) for name in config.experiments},
    }


class _Graphs:
    """Makes graphs when they are used; nodes, and what they are made of, are imported then."""

    def __init__(self, config: ExperimentConfig, classifier: Cell) -> None:
        self._classifier, self._config = classifier, config

        @cache
        def stages(experiment: str) -> dict[str, Pipeline]:
            from tkre.project.stages import stages_of

            if experiment in config.broken:
                raise ConfigurationError(config.broken[experiment])
            return stages_of(config, experiment)

        self._stages = stages

    def experiment(self, name: str) -> Pipeline:
        return LazyPipeline(lambda: self._stages(name).values())

    def stage(self, experiment: str, stage: str) -> Pipeline:
        return LazyPipeline(lambda: [self._stages(experiment)[stage]])

    def inference(self) -> Pipeline:
        def parts() -> list[Pipeline]:
            from tkre.pipelines.inference import create_pipeline

            cell, parameters = self._classifier, self._config.parameters
            if cell.sample.corpus in self._config.broken:
                raise ConfigurationError(self._config.broken[cell.sample.corpus])
            text = self._config.text(cell, parameters.variants[cell.variant], "test")
            balanced = parameters.inference.balanced
            calibrator = text.balanced_calibrator if balanced else "calibrator"
            return [create_pipeline(cell, calibrator)]

        return LazyPipeline(parts)
