"""The notebooks, run on what a run has left."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import ROOT
from tests.smoke_project import Project


def outputs_of(name: str, project: Project, patch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Outputs of the cells of a notebook; no cell may fail or warn."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    patch.setenv("KEDRO_ENV", "smoke")
    patch.setenv("TKRE_DATA", "data/01_raw")
    # As under `kedro jupyter lab`: a kernel works in the folder of its notebook.
    folder = project.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    warned = [o["text"] for o in outputs if o.get("name") == "stderr" and "Warning" in o["text"]]
    assert not warned
    return outputs
