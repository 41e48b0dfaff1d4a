"""``kedro graph``: the graph as a site and as pictures, for others to read."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession

from tkre.cli.session import ENVIRONMENT
from tkre.project import config_loader as configuration
from tkre.project.hooks import REFUSALS, Refusal

SHOWN = "__default__,data_generation,knowledge_pretraining,finetuning,reporting,inference"


@click.group()
def graph() -> None:
    """The graph as a site and as pictures, for others to read."""


@graph.command("build")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="site/graph")
@click.option("--pipelines", "-p", "names", default=SHOWN, show_default=True, help="Which ones.")
@click.option("--previews", default="", help="Corpora whose rows may be seen: newsroom,inference.")
@click.option("--env", "-e", default=None, help=ENVIRONMENT)
def build_command(folder: Path, names: str, previews: str, env: str | None) -> None:
    """Writes kedro-viz with the project in it to FOLDER, for any web server.

    No path of this machine is in it, it asks no other host, and of the corpora it shows nothing
    but what --previews allows.
    """
    try:
        _build(folder, names, previews, env)
    except REFUSALS as error:
        raise Refusal(str(error)) from error
    click.echo(f"{folder}: python -m http.server --directory {folder}")


@graph.command("draw")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="docs/images")
def draw_command(folder: Path) -> None:
    """Takes the pictures of the README and the docs, by a headless browser, into FOLDER."""
    from tkre.graph.pictures import draw

    try:
        with tempfile.TemporaryDirectory() as site:
            _build(Path(site), SHOWN, "", None)
            for picture in draw(Path(site), folder):
                click.echo(picture)
    except REFUSALS as error:
        raise Refusal(str(error)) from error


def _build(folder: Path, names: str, previews: str, env: str | None) -> None:
    from tkre.graph.site import build_site, publishable

    with KedroSession.create(env=env) as session:
        context = session.load_context()
        config = configuration.read_config()
        named = [name for name in names.split(",") if name]
        if unknown := [name for name in named if name not in pipelines]:
            raise ValueError(f"no pipeline {', '.join(unknown)}; kedro registry list shows them")
        shown = {corpus for corpus in previews.split(",") if corpus}
        if strange := shown - {*config.parameters.corpora, "inference"}:
            raise ValueError(f"no corpus {', '.join(sorted(strange))} in parameters_corpora.yml")
        build_site(
            context.catalog,
            {name: pipelines[name] for name in named},
            folder,
            root=context.project_path,
            previews=publishable(config, shown),
        )
