"""``kedro graph build``: what is in the site, and what may not be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.graph.conftest import SHOWN
from tkre.graph.site import LAYERS, _order_layers, publishable
from tkre.project.config import ExperimentConfig


def answers(site: Path) -> dict[str, dict]:
    """What the panel of every node says."""
    return {file.name: json.loads(file.read_text()) for file in (site / "api/nodes").iterdir()}


def dataset(site: Path, name: str) -> dict:
    """What the panel of a dataset says."""
    graph = json.loads((site / "api/pipelines/demo").read_text())
    [node] = [node for node in graph["nodes"] if node["name"] == name]
    return answers(site)[node["id"]]


def test_no_path_of_this_machine_is_in_it(site, project):
    files = [path for path in site.rglob("*") if path.is_file() and "assets" not in path.parts]
    assert len(files) > 150
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        for path in (project.folder, ROOT, Path.home()):
            assert f"{path}/" not in text, f"{file} holds {path}"
        assert ROOT.name + "/src" not in text, f"{file} names the folder of the checkout"
    assert dataset(site, "newsroom.k8.s13.synthetic")["filepath"] == (
        "data/04_feature/newsroom/k8/s13/synthetic.parquet"
    )
    of_nodes = {a["filepath"] for a in answers(site).values() if "code" in a}
    assert all(path.startswith("src/tkre/pipelines/") for path in of_nodes)


def test_nothing_in_it_asks_another_host_or_follows_its_reader(site):
    for page in site.glob("*.html"):
        text = page.read_text()
        assert "<script" in text and "https://" not in text
    assert not (site / "telemetry.html").exists()


def test_it_may_lie_in_any_folder_of_a_server(site):
    scripts = [path.read_text(encoding="utf-8") for path in site.glob("assets/*.js")]
    assert any('"./api/run-status"' in code for code in scripts)
    assert not any(re.search(r'["`\']/api/', code) for code in scripts)


def test_it_shows_the_pipelines_that_are_named_in_their_order(site):
    graph = json.loads((site / "api/main").read_text())
    assert [pipeline["id"] for pipeline in graph["pipelines"]] == SHOWN.split(",")
    assert graph["selected_pipeline"] == "__default__"
    assert {file.name for file in (site / "api/pipelines").iterdir()} == set(SHOWN.split(","))


@pytest.mark.parametrize("pipeline", SHOWN.split(","))
def test_layers_can_be_shown_folded_and_unfolded(site, pipeline):
    """kedro-viz orders them with the folded namespaces as nodes, and gives up at a cycle."""
    graph = json.loads((site / "api/pipelines" / pipeline).read_text())
    used = {node.get("layer") for node in graph["nodes"]} - {None}
    order = [layer for layer in graph["layers"] if layer in used]
    assert order and set(order) == used
    assert order == [layer for layer in LAYERS if layer in used]


def test_the_layers_are_the_folders_of_data():
    folders = sorted(path.name for path in (ROOT / "data").iterdir() if path.is_dir())
    assert [folder.partition("_")[2] for folder in folders] == list(LAYERS)


def test_a_circle_of_folded_namespaces_stays_without_layers(tmp_path):
    """Given some, the page of kedro-viz shows nothing."""
    for file, layers in (("main", ["feature", "raw"]), ("pipelines/transfer", [])):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        nodes = [{"layer": layer} for layer in ("feature", "raw", None)]
        (tmp_path / file).write_text(json.dumps({"nodes": nodes, "layers": layers}))
    _order_layers(tmp_path)
    assert json.loads((tmp_path / "main").read_text())["layers"] == ["raw", "feature"]
    assert json.loads((tmp_path / "pipelines/transfer").read_text())["layers"] == []


def test_previews_are_of_the_corpora_that_are_named(site):
    assert "sentence" in dataset(site, "newsroom.k8.s13.synthetic")["preview"]["columns"]
    relations = dataset(site, "newsroom.folder")["preview"]["data"]
    assert len(relations) == 11
    assert dataset(site, "newsroom.train").get("preview") is None  # corpora never are
    # What has not been run has no preview, and no complaint either.
    assert dataset(site, "demo.summary").get("preview") is None


def test_other_corpora_show_nothing_even_if_it_is_there(project):
    folder = project.folder / "unseen"
    built = project.kedro("graph", "build", str(folder), "--pipelines", "demo")
    assert built.returncode == 0, built.stdout
    seen = {a.get("filepath"): a for a in answers(folder).values() if a.get("preview")}
    assert not [path for path in seen if path and "newsroom" in path]
    again = project.kedro("graph", "build", str(folder), "--pipelines", "demo")
    assert again.returncode == 0, again.stdout  # a site is replaced


def test_a_folder_of_something_else_is_left_alone(project):
    refused = project.kedro("graph", "build", "conf")
    assert refused.returncode == 1 and "no site of the graph" in refused.stdout
    assert (project.folder / "conf/base").is_dir()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("--pipelines", "dmeo"), "no pipeline dmeo"), (("--previews", "tacrd"), "no corpus tacrd")],
)
def test_names_that_do_not_exist_are_refused(project, arguments, complaint):
    refused = project.kedro("graph", "build", "elsewhere", *arguments)
    assert refused.returncode == 1 and complaint in refused.stdout
    assert not (project.folder / "elsewhere").exists()


def test_an_experiment_is_seen_if_all_of_its_corpora_are(config):
    seen = publishable(config, {"newsroom"})
    assert seen("newsroom.k8.s13.synthetic") and seen("demo.summary")
    assert seen("explanation_prompt") and seen("backbones.minilm")
    for hidden in ("tacred.k8.s13.synthetic", "semeval.summary", "transfer.cells",
                   "inference.predictions"):  # fmt: skip
        assert not seen(hidden), hidden
    assert publishable(config, {"inference"})("inference.predictions")


@pytest.fixture(scope="module")
def config() -> ExperimentConfig:
    from kedro.framework.project import configure_project

    from tkre.project import config_loader as configuration
    from tkre.settings import CONFIG_LOADER_ARGS

    configure_project("tkre")
    loader = configuration.ConfigLoader(str(ROOT / "conf"), env="base", **CONFIG_LOADER_ARGS)
    return ExperimentConfig(loader["parameters"])
