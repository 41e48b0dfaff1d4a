"""The report of an experiment as one HTML file without scripts, and the templates."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from tkre.report.content import ReportContent
from tkre.report.formatting import day, listed
from tkre.report.sections import sections


def report_page(content: ReportContent) -> str:
    """The report as HTML.

    It loads nothing, which its Content-Security-Policy enforces; text of files and models is
    escaped.
    """
    reported = day(content.environment.finished)
    corpora = listed([corpus.schema.corpus for corpus in content.corpora])
    return rendered(
        "page.html.j2",
        title=f"{content.experiment}: report",
        experiment=content.experiment,
        subtitle=f"Few-shot relation extraction on {corpora}, {reported}",
        quotes=bool(content.page.examples or content.page.errors),
        sections=sections(content),
    )


def rendered(template: str, /, **values: Any) -> str:
    """A template with values."""
    text: str = templates().get_template(template).render(values)
    return text


@cache
def templates() -> Environment:
    """The templates; whatever is put into HTML is escaped."""
    environment = Environment(
        loader=PackageLoader("tkre.report"),
        autoescape=select_autoescape(("html.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    folder = files("tkre.report") / "templates"
    sheets = ((folder / name).read_text("utf-8") for name in ("colours.css", "style.css"))
    environment.globals["style"] = Markup("".join(sheets))
    return environment
