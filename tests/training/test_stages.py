from __future__ import annotations

import inspect

from tkre.training.stages import PAIRS, STAGES, TEXTS, PretrainingParams, StageParams


def test_every_stage_has_its_parameters_its_data_and_its_function():
    prepare = list(inspect.signature(STAGES["mslm"].prepare).parameters)
    for name in STAGES:
        stage = STAGES[name]
        assert issubclass(stage.params, StageParams)
        assert PretrainingParams.model_fields[name].annotation == stage.params | None
        assert stage.reads in (TEXTS, PAIRS) and stage.description and stage.loss
        assert len(inspect.signature(stage.prepare).parameters) == len(prepare)
