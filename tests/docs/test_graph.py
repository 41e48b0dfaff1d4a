"""``docs/site_tools/graph.py``: what is in the site of the graph, what may not be, pictures."""

from __future__ import annotations

import importlib.util
import json
import re
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.conftest import ROOT
from tests.smoke_project import Project
from tkre.project.config import ExperimentConfig

SCRIPT = ROOT / "docs/site_tools/graph.py"
spec = importlib.util.spec_from_file_location("tkre_graph_tool", SCRIPT)
tool = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

SHOWN = f"{tool.PIPELINES},demo"
PNG = b"\x89PNG\r\n\x1a\n"


def run(project: Project, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), "build", *arguments, "--env", "smoke"],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def project(tiny_backbone, tmp_path_factory) -> Project:
    """A project that has generated its data."""
    project = Project(tmp_path_factory.mktemp("graph"), tiny_backbone)
    result = project.kedro("run", "--pipelines", "data_generation")
    assert result.returncode == 0, result.stdout
    return project


@pytest.fixture(scope="module")
def site(project) -> Path:
    built = run(project, "--pipelines", SHOWN, "--previews", "newsroom")
    assert built.returncode == 0, built.stdout
    assert "WARNING" not in built.stdout and "python -m http.server" in built.stdout
    return project.folder / "site/graph"


def answers(site: Path) -> dict[str, dict]:
    """The panel of every node."""
    return {file.name: json.loads(file.read_text()) for file in (site / "api/nodes").iterdir()}


def dataset(site: Path, name: str) -> dict:
    """The panel of a dataset."""
    graph = json.loads((site / "api/pipelines/demo").read_text())
    [node] = [node for node in graph["nodes"] if node["name"] == name]
    return answers(site)[node["id"]]


@pytest.mark.slow
def test_no_path_of_this_machine_is_in_it(site, project):
    files = [path for path in site.rglob("*") if path.is_file() and "assets" not in path.parts]
    assert len(files) > 150
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        for path in (project.folder, ROOT, Path.home()):
            assert f"{path}/" not in text, f"{file} holds {path}"
        assert ROOT.name + "/src" not in text, f"{file} names the folder of the checkout"
    assert dataset(site, "synthetic")["filepath"] == (
        "data/04_feature/newsroom/k8/s13/synthetic.parquet"
    )
    of_nodes = {a["filepath"] for a in answers(site).values() if "code" in a}
    assert all(path.startswith("src/tkre/pipelines/") for path in of_nodes)


@pytest.mark.slow
def test_it_asks_no_other_host_and_lies_in_any_folder(site):
    for page in site.glob("*.html"):
        text = page.read_text()
        assert "<script" in text and "https://" not in text
    assert not (site / "telemetry.html").exists()
    scripts = [path.read_text(encoding="utf-8") for path in site.glob("assets/*.js")]
    assert any('"./api/run-status"' in code for code in scripts)
    assert not any(re.search(r'["`\']/api/', code) for code in scripts)


@pytest.mark.slow
def test_it_shows_the_named_pipelines_with_their_layers(site):
    """Views of several stages have no layers, nor one whose folded namespaces make a cycle."""
    graph = json.loads((site / "api/main").read_text())
    assert [pipeline["id"] for pipeline in graph["pipelines"]] == SHOWN.split(",")
    assert graph["selected_pipeline"] == "__default__"
    assert {file.name for file in (site / "api/pipelines").iterdir()} == set(SHOWN.split(","))
    for pipeline in SHOWN.split(","):
        graph = json.loads((site / "api/pipelines" / pipeline).read_text())
        used = {node.get("layer") for node in graph["nodes"]} - {None}
        order = [layer for layer in graph["layers"] if layer in used]
        assert order in ([], [layer for layer in tool.LAYERS if layer in used]), pipeline


@pytest.mark.slow
def test_previews_are_of_the_corpora_that_are_named(site):
    assert "sentence" in dataset(site, "synthetic")["preview"]["columns"]
    assert len(dataset(site, "folder")["preview"]["data"]) == 11
    assert dataset(site, "train").get("preview") is None  # corpora never are
    assert dataset(site, "demo.summary").get("preview") is None  # has not been run


@pytest.mark.slow
def test_refusals_and_a_second_build(project):
    refused = run(project, "conf")
    assert refused.returncode == 1 and "no site of the graph" in refused.stdout
    assert (project.folder / "conf/base").is_dir()
    for arguments, complaint in [(("--pipelines", "dmeo"), "no pipeline dmeo"),
                                 (("--previews", "tacrd"), "no corpus tacrd")]:  # fmt: skip
        refused = run(project, "elsewhere", *arguments)
        assert refused.returncode == 1 and complaint in refused.stdout
        assert not (project.folder / "elsewhere").exists()
    (project.folder / "unseen/api").mkdir(parents=True)  # a site, which is replaced
    (project.folder / "unseen/api/deploy-viz-metadata").write_text("{}")
    built = run(project, "unseen", "--pipelines", "demo")
    assert built.returncode == 0, built.stdout
    panels = answers(project.folder / "unseen").values()
    assert not [a for a in panels if a.get("preview") and "newsroom" in (a["filepath"] or "")]


def test_the_layers_are_the_folders_of_data():
    folders = sorted(path.name for path in (ROOT / "data").iterdir() if path.is_dir())
    assert [folder.partition("_")[2] for folder in folders] == list(tool.LAYERS)


def test_a_cycle_of_folded_namespaces_stays_without_layers(tmp_path):
    for file, layers in (("main", ["feature", "raw"]), ("pipelines/transfer", [])):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        nodes = [{"layer": layer} for layer in ("feature", "raw", None)]
        (tmp_path / file).write_text(json.dumps({"nodes": nodes, "layers": layers}))
    tool.order_layers(tmp_path)
    assert json.loads((tmp_path / "main").read_text())["layers"] == ["raw", "feature"]
    assert json.loads((tmp_path / "pipelines/transfer").read_text())["layers"] == []


def test_an_experiment_is_seen_if_all_of_its_corpora_are():
    from tkre.project import config_loader as configuration
    from tkre.settings import CONFIG_LOADER_ARGS

    loader = configuration.ConfigLoader(str(ROOT / "conf"), env="base", **CONFIG_LOADER_ARGS)
    config = ExperimentConfig(loader["parameters"])
    seen = tool.publishable(config, {"newsroom"})
    assert seen("newsroom.k8.s13.synthetic") and seen("demo.summary")
    assert seen("explanation_prompt") and seen("backbones.minilm")
    for hidden in ("tacred.k8.s13.synthetic", "semeval.summary", "transfer.cells",
                   "inference.predictions"):  # fmt: skip
        assert not seen(hidden), hidden
    assert tool.publishable(config, {"inference"})("inference.predictions")


def test_without_a_browser_the_message_names_the_setting(monkeypatch):
    monkeypatch.delenv("TKRE_BROWSER", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(tool.GraphError, match="TKRE_BROWSER"):
        tool.find_browser()


def size(file: Path) -> tuple[int, int]:
    content = file.read_bytes()
    assert content.startswith(PNG)
    return struct.unpack(">II", content[16:24])


@pytest.mark.parametrize("picture", tool.PICTURES, ids=lambda picture: picture.name)
def test_committed_pictures_are_there_and_small(picture):
    file = ROOT / "docs/images" / f"{picture.name}.png"
    assert 20_000 < file.stat().st_size <= 300_000
    assert size(file)[1] == picture.size[1]


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("playwright", reason="the browser is driven by playwright (extra `docs`)")
    try:
        return tool.find_browser()
    except tool.GraphError as error:
        pytest.skip(str(error))


@pytest.mark.slow
def test_pictures_are_taken_of_the_site(browser, site, tmp_path):
    files = list(tool.draw(site, tmp_path / "images"))
    assert [file.stem for file in files] == [picture.name for picture in tool.PICTURES]
    for file, picture in zip(files, tool.PICTURES, strict=True):
        width, height = size(file)
        assert 800 < width < picture.size[0] and height == picture.size[1]
        assert file.stat().st_size > 20_000  # an empty page is smaller


@pytest.fixture
def complaints():
    return []


@pytest.fixture
def page(browser, site, complaints):
    """Data generation, unfolded. Errors and requests to other hosts are complaints."""

    def watch(page):
        page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda r: "127.0.0.1" in r.url or complaints.append(r.url))
        page.on("response", lambda r: r.status < 400 or complaints.append(f"{r.status} {r.url}"))

    query = "?pid=data_generation&types=nodes,datasets&expandAllPipelines=true"
    with tool.open_graph(site, query, pretty=False, watch=watch) as page:
        yield page


@pytest.mark.slow
def test_nodes_show_their_code_and_datasets_their_rows(page, complaints):
    layers = page.locator(".pipeline-layer-name").all_text_contents()
    assert layers == ["raw", "intermediate", "primary", "feature"]
    page.locator(tool.DRAWN, has_text="keep_explanations").click()
    panel = page.locator(".pipeline-metadata")
    panel.get_by_text("src/tkre/pipelines/data_generation/nodes.py").wait_for()
    panel.get_by_text("Show Code").click()
    page.locator(".pipeline-metadata-code").get_by_text("def keep_explanations").wait_for()
    synthetic = page.locator(tool.DRAWN, has=page.get_by_text("synthetic", exact=True))
    synthetic.dispatch_event("click")  # it may lie behind the list
    panel.get_by_text("newsroom/acquired_by/seed-13/round-0/0").first.wait_for()
    assert complaints == []


@pytest.mark.slow
def test_views_draw_the_same_after_any_other(page, complaints):
    """kedro-viz keeps the pipeline and the filters of the last one in the browser."""
    views = [picture.query for picture in tool.PICTURES]
    drawn: dict[str, set[int]] = {}
    for view in [*views, *views[::-1]]:
        page.goto(urljoin(page.url, view))
        page.locator(tool.DRAWN).first.wait_for()
        page.wait_for_timeout(tool.STILL)
        drawn.setdefault(view, set()).add(page.locator(tool.DRAWN).count())
    assert all(len(counts) == 1 for counts in drawn.values()), drawn
    assert complaints == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "theme", "lists"), [(390, "light", 0), (1280, "dark", 1)])
def test_a_first_visit_shows_the_graph(page, width, theme, lists):
    first = page.context.browser.new_page(
        viewport={"width": width, "height": 844}, color_scheme=theme
    )
    first.goto(urljoin(page.url, "?pid=demo"))
    first.locator(tool.DRAWN).first.wait_for()
    first.wait_for_timeout(tool.STILL)
    assert first.locator(".feature-hints").count() == 0
    assert first.locator(f".kui-theme--{theme}").count() > 0
    assert first.locator(".pipeline-sidebar--visible").count() == lists
