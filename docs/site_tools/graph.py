"""Static kedro-viz site of the project, and pictures of it for the README and the docs.

    python docs/site_tools/graph.py build site/graph --previews newsroom,inference
    python docs/site_tools/graph.py draw docs/images

``kedro viz build`` writes all pipelines (60 MB), absolute paths of the machine, the events of the
last run and previews of all data. This site holds a few pipelines, no path of the machine, asks no
other host, and previews only the corpora that are named.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import kedro_viz
from fsspec import filesystem
from kedro.framework.project import pipelines as registered
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import CatalogProtocol

import tkre
from tkre.project import config_loader
from tkre.project.config import ExperimentConfig

try:
    from playwright.sync_api import sync_playwright
except ImportError:
    sync_playwright = None

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "ORJSONResponse is deprecated")
    from kedro_viz.api.rest.responses import metadata, run_events, save_responses
    from kedro_viz.data_access import data_access_manager
    from kedro_viz.server import populate_data

PIPELINES = "__default__,data_generation,knowledge_pretraining,finetuning,reporting,inference"
STATIC = Path(kedro_viz.__file__).parent / "html"
LEFT_OUT = ("autoreload.html", "telemetry.html", ".vite")  # of a live server; usage tracking
OTHER_HOSTS = ("fonts.googleapis.com", "fonts.gstatic.com")
LAYERS = (
    "raw", "intermediate", "primary", "feature",
    "model_input", "models", "model_output", "reporting",
)  # fmt: skip
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
DRAWN = ".pipeline-node"
STILL = 1500  # milliseconds until kedro-viz has finished moving


class GraphError(RuntimeError):
    """The site or its pictures cannot be made; the message says why."""


def build(folder: Path, pipelines: str, previews: str, env: str | None) -> None:
    """Write the site; a site that is there is replaced.

    Args:
        folder: Target; new, empty, or a site of the graph.
        pipelines: Names with commas, in the order of the selector.
        previews: Corpora whose rows may be published, with commas; ``inference`` for its sentences.
        env: Environment of the configuration.

    Raises:
        GraphError: A name is unknown, or the folder holds something else.
    """
    root = Path.cwd()
    bootstrap_project(root)
    with KedroSession.create(project_path=root, env=env) as session:
        catalog = session.load_context().catalog
        config = config_loader.read_config()
        chosen, shown = pipelines.split(","), {name for name in previews.split(",") if name}
        if unknown := [name for name in chosen if name not in registered]:
            raise GraphError(f"no pipeline {', '.join(unknown)}; kedro registry list shows them")
        if unknown := sorted(shown - {*config.parameters.corpora, "inference"}):
            raise GraphError(f"no corpus {', '.join(unknown)} in parameters_corpora.yml")
        _make_room(folder)
        graphs = {name: registered[name] for name in chosen}
        may_be_seen = publishable(config, shown)
        for name in sorted({name for graph in graphs.values() for name in graph.datasets()}):
            _allow_preview(catalog, name, may_be_seen)
        data_access_manager.reset_fields()
        populate_data(data_access_manager, catalog, graphs, {})
        shutil.copytree(STATIC, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        _stay_on_this_host(folder)
        _open_on_the_graph(folder)
        _write_answers(folder / "api")
        order_layers(folder / "api")
        _remove_paths(folder / "api", root)


def publishable(config: ExperimentConfig, corpora: Collection[str]) -> Callable[[str], bool]:
    """Predicate on dataset names: holds nothing of corpora other than the named ones.

    Args:
        config: Corpora of each experiment.
        corpora: Corpora that may be published; ``inference`` for the sentences of inference.
    """
    known = {*config.parameters.corpora, "inference"}

    def may_be_seen(name: str) -> bool:
        first = name.partition(".")[0]
        if first in config.experiments:
            return set(config.experiments[first].corpora) <= set(corpora)
        return first in corpora if first in known else True

    return may_be_seen


def _make_room(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "api/deploy-viz-metadata").is_file():
            raise GraphError(f"{folder} holds something that is no site of the graph")
        shutil.rmtree(folder)
    elif folder.exists():
        folder.rmdir()
    folder.parent.mkdir(parents=True, exist_ok=True)


def _allow_preview(catalog: CatalogProtocol, name: str, may_be_seen: Callable[[str], bool]) -> None:
    """Switch off the preview of a dataset that may not be seen or does not exist."""
    dataset = catalog.get(name)
    shown = (getattr(dataset, "metadata", None) or {}).get("kedro-viz")
    if shown is not None and not (may_be_seen(name) and dataset.exists()):
        shown["preview"] = False


def _stay_on_this_host(folder: Path) -> None:
    """Remove fonts of other hosts; make the one absolute request of kedro-viz relative."""
    for page in folder.glob("*.html"):
        html = page.read_text(encoding="utf-8")
        while any(host in html for host in OTHER_HOSTS):
            place = min(html.index(host) for host in OTHER_HOSTS if host in html)
            html = html[: html.rindex("<link", 0, place)] + html[html.index("/>", place) + 2 :]
        page.write_text(html, encoding="utf-8")
    for script in folder.glob("assets/index-*.js"):
        code = script.read_text(encoding="utf-8")
        script.write_text(code.replace('"/api/run-status"', '"./api/run-status"'), "utf-8")


def _open_on_the_graph(folder: Path) -> None:
    """Let a first visit show the graph, in the browser's colours.

    kedro-viz begins with a tour of itself, which covers a third of the graph, and with a map of the
    graph, which covers the rest on a telephone. What a visitor chooses later stays.
    """
    script = """<script>
if (!localStorage.getItem("KedroViz")) localStorage.setItem("KedroViz", JSON.stringify({
  showFeatureHints: false,
  theme: matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark",
  visible: {graph: true, sidebar: innerWidth > 800, miniMap: innerWidth > 800},
}));
</script>"""
    page = folder / "index.html"
    html = page.read_text(encoding="utf-8")
    page.write_text(html.replace("<head>", f"<head>{script}", 1), encoding="utf-8")


def _write_answers(api: Path) -> None:
    """Write the answers of the kedro-viz server as files."""
    files = filesystem("file")
    for kind in ("nodes", "pipelines"):
        (api / kind).mkdir(parents=True)
    save_responses.save_api_main_response_to_fs(f"{api}/main", files)
    save_responses.save_api_node_response_to_fs(f"{api}/nodes", files, True)
    save_responses.save_api_pipeline_response_to_fs(f"{api}/pipelines", files)
    save_responses.save_api_version_response_to_fs(f"{api}/version", files)
    # Events of the last run hold tracebacks of this machine.
    nothing_ran = run_events.RunStatusAPIResponse()
    save_responses.write_api_response_to_fs(f"{api}/run-status", nothing_ran, files)
    # kedro-viz's own build lacks this answer, and its page complains.
    packages = metadata.get_package_compatibilities()
    answer = metadata.MetadataAPIResponse(package_compatibilities=packages)
    save_responses.write_api_response_to_fs(f"{api}/metadata", answer, files)
    built = {
        "timestamp": datetime.now(UTC).strftime("%d.%m.%Y %H:%M:%S"),
        "version": kedro_viz.__version__,
    }
    (api / "deploy-viz-metadata").write_text(json.dumps(built), encoding="utf-8")


def order_layers(api: Path) -> None:
    """Order the layers as the folders of ``data``.

    kedro-viz orders them by dependencies, and by the alphabet where there are none. Where folded
    namespaces read from each other in a cycle it gives no layers; that stays, because its page
    shows nothing if a cycle has layers.
    """
    for file in (api / "main", *(api / "pipelines").iterdir()):
        graph = json.loads(file.read_text(encoding="utf-8"))
        graph["layers"] = [layer for layer in LAYERS if layer in graph["layers"]]
        file.write_text(json.dumps(graph), encoding="utf-8")


def _remove_paths(api: Path, root: Path) -> None:
    """Make every path in the answers relative to the project."""
    names = {
        str(root.resolve()): "",
        str(Path(tkre.__file__).parents[1]): "src",  # place of the package outside the project
        str(Path.home()): "~",
    }
    for file in (path for path in api.rglob("*") if path.is_file()):
        answer = json.loads(file.read_text(encoding="utf-8"))
        if "code" in answer and answer.get("filepath"):
            # kedro-viz gives it relative to the parent of the working directory.
            answer["filepath"] = str(Path.cwd().parent / answer["filepath"])
        file.write_text(json.dumps(_renamed(answer, names), indent=1), encoding="utf-8")


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {_renamed(key, names): _renamed(part, names) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, names) for part in value]
    if not isinstance(value, str):
        return value
    for path, name in names.items():
        value = value.replace(f"{path}/", f"{name}/" if name else "").replace(path, name or ".")
    return value


@dataclass(frozen=True)
class Picture:
    """View of the graph.

    Attributes:
        name: Stem of the file.
        query: Address of the view, as kedro-viz takes it.
        size: Window in pixels, width and height.
        pretty: Whether names stand without the place and in capitals.
    """

    name: str
    query: str
    size: tuple[int, int]
    pretty: bool = True


PICTURES = (
    Picture("graph", "?pid=__default__&expandAllPipelines=false", (1055, 900), pretty=False),
    Picture(
        "data_generation",
        "?pid=data_generation&types=nodes,datasets&expandAllPipelines=true",
        (1500, 1080),
    ),
)


def draw(site: Path, folder: Path) -> Iterator[Path]:
    """Take the pictures of a site; yields the files as they are written."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        with open_graph(site, picture.query, picture.size, pretty=picture.pretty) as page:
            page.get_by_label("Hide menu").click()
            page.wait_for_timeout(STILL)
            bar = page.locator(".pipeline-toolbar").first.bounding_box()
            left = bar["x"] + bar["width"] if bar else 0
            clip = {"x": left, "y": 0, "width": picture.size[0] - left, "height": picture.size[1]}
            file = folder / f"{picture.name}.png"
            page.screenshot(path=file, clip=clip)
            yield file


@contextmanager
def open_graph(
    folder: Path,
    query: str = "",
    size: tuple[int, int] = (1600, 1000),
    *,
    pretty: bool = True,
    watch: Callable[[Any], object] | None = None,
) -> Iterator[Any]:
    """Page of a headless browser with the graph drawn: light, no hints, no map.

    Args:
        folder: Site of the graph.
        query: Address of the view: ``?pid=finetuning&types=nodes``.
        size: Window in pixels, width and height.
        pretty: Whether names stand without the place and in capitals.
        watch: Called with the page before it is opened, to follow its events.

    Raises:
        GraphError: There is no browser, or no playwright to drive it.
    """
    if sync_playwright is None:
        raise GraphError("the browser is driven by playwright: pip install playwright")
    executable = find_browser()
    with _served(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(BROWSER_ARGUMENTS)
        )
        try:
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            if watch is not None:
                watch(page)
            # kedro-viz keeps the user's settings in the browser; any file of the site can set them.
            page.goto(f"{address}/favicon.ico")
            chosen = {
                "theme": "light",
                "showFeatureHints": False,
                "isPrettyName": pretty,
                "visible": {"graph": True, "sidebar": True, "miniMap": False},
            }
            page.evaluate("chosen => localStorage.setItem('KedroViz', chosen)", json.dumps(chosen))
            page.goto(f"{address}/{query}")
            page.wait_for_selector(DRAWN, timeout=60_000)
            yield page
        finally:
            browser.close()


def find_browser() -> str:
    """Path of the browser: ``TKRE_BROWSER``, or one of the usual names.

    Raises:
        GraphError: There is none.
    """
    named = os.environ.get("TKRE_BROWSER")
    found = [named] if named else [shutil.which(name) for name in BROWSERS]
    path = next((path for path in found if path), None)
    if path is None:
        raise GraphError(
            f"no browser: install one of {', '.join(BROWSERS)}, or set TKRE_BROWSER to its path"
        )
    return path


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """Address of a local web server for a folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``build`` or ``draw`` in the project of the working directory."""
    parser = argparse.ArgumentParser(description="The graph as a static site and as pictures.")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build", help="write the site, for any web server")
    building.add_argument("folder", type=Path, nargs="?", default=Path("site/graph"))
    building.add_argument("--previews", default="", help="corpora that may be published")
    drawing = commands.add_parser("draw", help="take the pictures of the README and the docs")
    drawing.add_argument("folder", type=Path, nargs="?", default=Path("docs/images"))
    for command in (building, drawing):
        command.add_argument("--pipelines", default=PIPELINES)
        command.add_argument("--env", default=None)
    given = parser.parse_args(arguments)
    try:
        if given.command == "build":
            build(given.folder, given.pipelines, given.previews, given.env)
            click.echo(f"{given.folder}: python -m http.server --directory {given.folder}")
            return
        with tempfile.TemporaryDirectory() as site:
            build(Path(site), given.pipelines, "", given.env)
            for file in draw(Path(site), given.folder):
                click.echo(file)
    except GraphError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
