"""The style sheets of pages and drawings."""

from __future__ import annotations

from importlib.resources import files

from markupsafe import Markup


def style_sheet(name: str) -> Markup:
    """A style sheet of the package, ``drawing.css`` or ``style.css``, to be put into a page."""
    return Markup((files("tkre.report") / "templates" / name).read_text("utf-8"))
