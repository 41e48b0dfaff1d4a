"""Equations as MathML, made when the site is built: a browser needs no script for them."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.structure.pages import Page

# As pymdownx.arithmatex leaves them: \( ... \) in a line, \[ ... \] by themselves.
_EQUATION = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<latex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)


def on_page_content(content: str, page: Page, **_: Any) -> str:
    """Replaces the equations of a page."""
    return _EQUATION.sub(lambda found: _mathml(found["latex"], found["tag"], page), content)


def _mathml(latex: str, tag: str, page: Page) -> str:
    latex = html.unescape(latex).strip()
    mathml = convert(latex, display="block" if tag == "div" else "inline")
    # A command that the converter does not know stands in its output as it was.
    if "\\" in html.unescape(mathml):
        raise PluginError(f"{page.file.src_uri}: no MathML for the equation {latex}")
    return f'<div class="equation">{mathml}</div>' if tag == "div" else mathml
