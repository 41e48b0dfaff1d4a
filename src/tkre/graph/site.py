"""A folder that any web server serves: kedro-viz with the pipelines of this project in it.

``kedro viz build`` writes all pipelines (some 60 MB), absolute paths of the machine, the events of
the last run and, where it is told to, previews of whatever lies in ``data``. This writes the same
site of a few pipelines, for other people to read.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import kedro_viz
from fsspec import filesystem
from kedro.io import CatalogProtocol
from kedro.pipeline import Pipeline

import tkre
from tkre.project.config import ExperimentConfig

with warnings.catch_warnings():
    # of a class of FastAPI that kedro-viz answers with
    warnings.filterwarnings("ignore", "ORJSONResponse is deprecated")
    from kedro_viz.api.rest.responses import metadata, run_events, save_responses
    from kedro_viz.data_access import data_access_manager
    from kedro_viz.server import populate_data

STATIC = Path(kedro_viz.__file__).parent / "html"
# Templates for a live server, one of them of usage tracking.
LEFT_OUT = ("autoreload.html", "telemetry.html", ".vite")
OUTSIDE = ("fonts.googleapis.com", "fonts.gstatic.com")  # nothing is asked of other hosts
# The folders of data/, without their numbers.
LAYERS = (
    "raw", "intermediate", "primary", "feature",
    "model_input", "models", "model_output", "reporting",
)  # fmt: skip


def build_site(
    catalog: CatalogProtocol,
    pipelines: Mapping[str, Pipeline],
    folder: Path,
    *,
    root: Path,
    previews: Callable[[str], bool],
) -> None:
    """Writes the site.

    Args:
        catalog: Of the project.
        pipelines: Those it shows, in the order of its selector.
        folder: Where to; replaced if it is such a site.
        root: Of the project; paths in the site are relative to it.
        previews: Of which datasets, by name, a preview may be in it.

    Raises:
        FileExistsError: The folder holds something else.
    """
    _make_room(folder)
    for name in sorted({name for pipeline in pipelines.values() for name in pipeline.datasets()}):
        _allow_preview(catalog, name, previews)
    data_access_manager.reset_fields()
    populate_data(data_access_manager, catalog, dict(pipelines), {})
    shutil.copytree(STATIC, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for page in folder.glob("*.html"):
        _ask_nobody(page)
    for script in folder.glob("assets/index-*.js"):
        _ask_own_folder(script)
    _write_answers(folder / "api")
    _order_layers(folder / "api")
    _forget_paths(folder / "api", root)


def publishable(config: ExperimentConfig, corpora: Collection[str]) -> Callable[[str], bool]:
    """Which datasets hold nothing of corpora but those that are named.

    Args:
        config: Says of which corpora an experiment is.
        corpora: Whose rows anybody may see; ``inference`` for the sentences of inference.
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
            raise FileExistsError(f"{folder} holds something that is no site of the graph")
        shutil.rmtree(folder)
    elif folder.exists():
        folder.rmdir()
    folder.parent.mkdir(parents=True, exist_ok=True)


def _allow_preview(catalog: CatalogProtocol, name: str, may_be_seen: Callable[[str], bool]) -> None:
    """Switches the preview of a dataset off that may not be seen, or is not there."""
    dataset = catalog.get(name)
    shown = (getattr(dataset, "metadata", None) or {}).get("kedro-viz")
    if shown is not None and not (may_be_seen(name) and dataset.exists()):
        shown["preview"] = False


def _ask_nobody(page: Path) -> None:
    """Takes the fonts of another host out of a page: a reader's address is not told to it."""
    html = page.read_text(encoding="utf-8")
    while any(host in html for host in OUTSIDE):
        place = min(html.index(host) for host in OUTSIDE if host in html)
        html = html[: html.rindex("<link", 0, place)] + html[html.index("/>", place) + 2 :]
    page.write_text(html, encoding="utf-8")


def _ask_own_folder(script: Path) -> None:
    """Makes the one question relative that kedro-viz asks of the server's root."""
    code = script.read_text(encoding="utf-8")
    script.write_text(code.replace('"/api/run-status"', '"./api/run-status"'), encoding="utf-8")


def _write_answers(api: Path) -> None:
    """What kedro-viz would answer to each question of its page, as files."""
    files = filesystem("file")
    for kind in ("nodes", "pipelines"):
        (api / kind).mkdir(parents=True)
    save_responses.save_api_main_response_to_fs(f"{api}/main", files)
    save_responses.save_api_node_response_to_fs(f"{api}/nodes", files, True)
    save_responses.save_api_pipeline_response_to_fs(f"{api}/pipelines", files)
    save_responses.save_api_version_response_to_fs(f"{api}/version", files)
    # No events: those of the last run here say nothing to a reader, and hold its tracebacks.
    nothing_ran = run_events.RunStatusAPIResponse()
    save_responses.write_api_response_to_fs(f"{api}/run-status", nothing_ran, files)
    # kedro-viz's own build lacks this one, and its page complains.
    packages = metadata.get_package_compatibilities()
    answer = metadata.MetadataAPIResponse(package_compatibilities=packages)
    save_responses.write_api_response_to_fs(f"{api}/metadata", answer, files)
    built = {
        "timestamp": datetime.now(UTC).strftime("%d.%m.%Y %H:%M:%S"),
        "version": kedro_viz.__version__,
    }
    (api / "deploy-viz-metadata").write_text(json.dumps(built), encoding="utf-8")


def _order_layers(api: Path) -> None:
    """Puts the layers into the order of the folders of ``data``.

    kedro-viz orders them by what depends on what, and by the alphabet where nothing does, as in a
    single stage. Where folded namespaces read from each other in a circle it gives none, and that
    is left as it is: its page sorts boxes by layers, and shows nothing at all of a circle.
    """
    for file in (api / "main", *(api / "pipelines").iterdir()):
        graph = json.loads(file.read_text(encoding="utf-8"))
        given = graph["layers"]
        graph["layers"] = [layer for layer in LAYERS if layer in given]
        file.write_text(json.dumps(graph), encoding="utf-8")


def _forget_paths(api: Path, root: Path) -> None:
    """Makes every path in the answers relative to the project."""
    names = {
        str(root.resolve()): "",
        str(Path(tkre.__file__).parents[1]): "src",  # where the package lies, if not in the project
        str(Path.home()): "~",
    }
    for file in (path for path in api.rglob("*") if path.is_file()):
        answer = json.loads(file.read_text(encoding="utf-8"))
        if "code" in answer and answer.get("filepath"):
            # kedro-viz gives it relative to the folder above the working directory.
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
