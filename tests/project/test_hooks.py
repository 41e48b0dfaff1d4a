"""What ends a run: refusals are shown without a traceback, defects are not hidden."""

from __future__ import annotations

import errno

import pytest
from kedro.io import DataCatalog, DatasetError

from tkre.core.errors import UserError
from tkre.modeling.weights import WeightsError
from tkre.project.hooks import ProjectHooks, Refusal

DISK_FULL = f"Failed while saving data to dataset x.\n[Errno {errno.ENOSPC}] No space left"


@pytest.mark.parametrize("error", [UserError("why"), WeightsError("why"), DatasetError(DISK_FULL)])
def test_a_refusal_of_a_node_is_shown_alone(error):
    with pytest.raises(Refusal) as refused:
        ProjectHooks().on_pipeline_error(error, DataCatalog())
    assert refused.value.message == str(error)


@pytest.mark.parametrize("error", [ValueError("defect"), KeyError("defect"), DatasetError("torn")])
def test_a_defect_keeps_its_traceback(error):
    ProjectHooks().on_pipeline_error(error, DataCatalog())
