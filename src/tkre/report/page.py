"""The style sheets of pages and drawings.

The page of an experiment: sections put into templates, one file that needs nothing else.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from tkre.report.blocks import Section
from tkre.report.confidence import confidence
from tkre.report.content import ReportContent
from tkre.report.failures import failures
from tkre.report.fitting import fitting
from tkre.report.formatting import day, listed
from tkre.report.glossary import glossary
from tkre.report.origins import origins
from tkre.report.overview import in_short, what_was_run
from tkre.report.scores import scores
from tkre.report.writing import writing


def style_sheet(name: str) -> Markup:
    """A style sheet of the package, ``drawing.css`` or ``style.css``, to be put into a page."""
    return Markup((files("tkre.report") / "templates" / name).read_text("utf-8"))


def report_page(content: ReportContent) -> str:
    """The page as HTML.

    It has no script and loads nothing, and its Content-Security-Policy says so to the browser; what
    came from files or models is escaped text.
    """
    reported = day(content.environment.finished)
    corpora = listed([corpus.schema.corpus for corpus in content.corpora])
    page: str = (
        templates()
        .get_template("page.html.j2")
        .render(
            title=f"{content.experiment}: report",
            experiment=content.experiment,
            subtitle=f"Few-shot relation extraction on {corpora}, {reported}",
            quotes=bool(content.page.examples or content.page.errors),
            sections=sections(content),
        )
    )
    return page


def sections(content: ReportContent) -> list[Section]:
    """All sections in their order."""
    return [
        in_short(content),
        what_was_run(content),
        scores(content),
        failures(content),
        confidence(content),
        writing(content),
        fitting(content),
        origins(content),
        glossary(),
    ]


@cache
def templates() -> Any:
    """The templates of the package; everything put into them is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("tkre.report"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["style"] = style_sheet("drawing.css") + style_sheet("style.css")
    return environment
