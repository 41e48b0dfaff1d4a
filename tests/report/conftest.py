from __future__ import annotations

import pytest
from markupsafe import Markup

from tkre.report import blocks


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without drawings: they have tests of their own, and take most of the time of a page."""
    monkeypatch.setattr(blocks, "draw", lambda rows, panel, legend: None)
    monkeypatch.setattr(blocks, "svg", lambda figure, label: Markup("drawn"))
