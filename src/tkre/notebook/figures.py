"""Figures of notebooks, wherever a notebook is read."""

from __future__ import annotations

import plotly.io

# JupyterLab and editors draw the first with what they have; Notebook, `nbconvert --to html` and
# what else knows of HTML alone take the second, which brings plotly.js along: no network is needed.
RENDERERS = "plotly_mimetype+notebook"


def draw_everywhere() -> None:
    """From here on the outputs of figures are drawn in any front end, and in HTML made of them."""
    plotly.io.renderers.default = RENDERERS
