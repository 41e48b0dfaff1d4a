from __future__ import annotations

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

CELL = """
import plotly.graph_objects as go
from tkre.report.notebooks import draw_everywhere

draw_everywhere()
go.Figure(go.Bar(y=[1, 2]))
"""


def test_a_figure_is_drawn_by_what_knows_plotly_and_by_what_knows_html():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    nbclient.NotebookClient(notebook).execute()
    shown = [output["data"] for output in notebook.cells[0]["outputs"]]
    [figure] = [data for data in shown if "application/vnd.plotly.v1+json" in data]
    assert "Plotly.newPlot" in figure["text/html"]
    # What draws it comes along: the address of a script would show nothing without a network.
    [script] = [data["text/html"] for data in shown if data is not figure]
    assert len(script) > 1_000_000 and "src=" not in script[:500]
