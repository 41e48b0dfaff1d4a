"""The rules of the house: who may import whom, how large a room may be."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.smoke_project import Project
from tkre.core.instance import to_tagged
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.params import HEADS
from tkre.serving.extractor import RelationExtractor
from tkre.training.finetuning import build_classifier
from tkre.training.onnx_export import export_onnx
from tkre.training.params import FinetuningParams

PACKAGE = ROOT / "src" / "tkre"
FILES = sorted(PACKAGE.rglob("*.py"))
# Only these may know of Kedro; everything else is science and works without it.
KEDRO_SIDE = {
    "datasets", "pipelines", "hooks.py", "settings.py", "pipeline_registry.py", "preflight.py",
    "configuration.py", "summary.py", "results.py", "planning.py", "cli", "__main__.py",
    "runners", "graph", "tracking",
}  # fmt: skip
# A room may import those left of it, and its own.
LAYERS = [
    {"params", "suggest", "progress"},
    {"extensions"},
    {"records", "environment"},
    {"tagged"},
    {"corpora"},
    {"generation", "knowledge", "grid"},
    {"modeling", "evaluation"},
    {"training"},
    {"loading"},
    {"variants", "extractor"},
    {"labelling", "notebook", "checkup", "integrations", "service"},
    {"report"},
    {"book"},
    {"datasets", "configuration", "summary", "results", "result_curves", "graph"},
    {"pipelines"},
    {"planning"},
    {"preflight", "runners"},
    {"tracking"},
    {"hooks"},
    {"pipeline_registry", "settings", "cli", "__main__"},
]


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports(path: Path, package: str) -> set[str]:
    return {n for n in imported(path) if n == package or n.startswith(f"{package}.")}


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_science_does_not_know_of_kedro(path):
    if room(path) not in KEDRO_SIDE:
        assert not imports(path, "kedro") and not imports(path, "kedro_datasets")


@pytest.mark.parametrize("path", sorted((PACKAGE / "pipelines").rglob("*nodes.py")), ids=name)
def test_nodes_are_functions_without_kedro_paths_or_files(path):
    assert not imports(path, "kedro")
    assert not {"os", "pathlib", "shutil", "io"} & imported(path)
    called = {n.func.id for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)
              and isinstance(n.func, ast.Name)}  # fmt: skip
    assert "open" not in called


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_one_way(path):
    levels = {r: n for n, rooms in enumerate(LAYERS) for r in rooms}
    own = room(path).removesuffix(".py")
    if own == "__init__":
        return
    for module in imports(path, "tkre"):
        parts = module.split(".")
        if len(parts) > 1 and parts[1] in levels:
            other = parts[1]
            assert other == own or levels[other] < levels[own], f"{name(path)} imports {module}"


def test_every_room_has_its_place_in_the_layers():
    rooms = {room(path).removesuffix(".py") for path in FILES} - {"__init__"}
    assert rooms == set().union(*LAYERS)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_files_are_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", FILES, ids=name)
def test_functions_are_small(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            docstring = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
            assert node.end_lineno - docstring <= 60, f"{name(path)}: {node.name}"


def test_there_is_no_room_for_odds_and_ends():
    assert not {"utils", "helpers", "common", "misc"} & {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_pickle_no_eval(path):
    assert not {"pickle", "joblib", "dill", "cloudpickle"} & imported(path)
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    names = {f.id for f in calls if isinstance(f, ast.Name)}
    attributes = {(f.value.id, f.attr) for f in calls if isinstance(f, ast.Attribute)
                  and isinstance(f.value, ast.Name)}  # fmt: skip
    assert not {"eval", "exec", "__import__", "compile"} & names
    assert not {("torch", "load"), ("yaml", "load"), ("torch", "save")} & attributes


def test_tests_mirror_the_source():
    tested = {p.stem.removeprefix("test_") for p in (ROOT / "tests").rglob("test_*.py")}
    # Where the tests of a module are, if not in a file of its name.
    elsewhere = {
        "setfit_params": "params", "row": "native", "samples": "synthesis", "rows": "finetuning",
        "selection": "finetuning", "alignment": "objective", "unlabelled": "extractor",
        "quiet": "pipelines_run", "hooks": "bad_input", "preflight": "bad_input",
        "trust_fitting": "calibrator",
        "configuration": "wiring", "pipeline_registry": "wiring", "settings": "wiring",
        "stages": "wiring", "pipeline": "wiring", "nodes": "pipelines_run",
        "gpu_nodes": "pipelines_run", "__main__": "pipelines_run",
        "results": "experiments_run", "details": "wiring",
        "planning": "cli", "options": "cli", "project": "new", "label": "cli", "generation": "cli",
        "interruption": "openai_server",
        "startup": "extractor", "loading": "extractor", "classifier_config": "classifier",
        "head_kinds": "classifier", "schemas": "app", "errors": "app", "serve": "server",
        "synthesis_requests": "synthesis", "vllm_engine": "vllm", "language_models": "datasets",
        "instances": "previews", "table": "previews", "graph": "site",
        "bars": "drawings", "dots": "drawings", "lines": "drawings", "matrix": "drawings",
        "blocks": "page", "content": "sections", "overview": "sections", "scores": "sections",
        "fitting": "sections", "failures": "sections", "confidence": "sections",
        "writing": "sections", "quoting": "sections", "origins": "sections", "glossary": "sections",
        "styles": "page",
        "publishing": "wiring", "classifier": "pipelines_run",
        "corpus_folder": "datasets", "response_store": "datasets", "name": "datasets",
    }  # fmt: skip
    modules = {path.stem for path in FILES if path.stem != "__init__"}
    missing = {m for m in modules if elsewhere.get(m, m) not in tested}
    assert not missing


@pytest.mark.parametrize(
    "statement",
    ["import tkre.pipeline_registry as r; [p.nodes for p in r.register_pipelines().values()]",
     "import tkre.settings", "import tkre.datasets.checkpoint",
     "from tkre.cli import cli; [cli.get_command(None, name) for name in cli.list_commands(None)]",
     "import tkre.report.page as p; p.templates()", "import huggingface_hub.repocard",
     "import tkre.generation.llm.registry"],
)  # fmt: skip
def test_the_graph_loads_without_torch(statement):
    heavy = {"torch", "transformers", "vllm", "openai", "sklearn"}
    code = (
        "from kedro.framework.startup import bootstrap_project as b; from pathlib import Path; "
        f"b(Path('.').resolve()); {statement}; import sys; "
        f"found = {heavy!r} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True)


def test_kedro_lists_pipelines_without_what_only_nodes_need():
    """Every command of Kedro starts as this one does."""
    code = textwrap.dedent(
        """
        import sys
        from kedro.framework.cli.cli import main
        sys.argv = ["kedro", "registry", "list"]
        try:
            main()
        except SystemExit as done:
            assert not done.code, done.code
        heavy = {"torch", "transformers", "sklearn", "numpy", "pandas", "pyarrow", "plotly"}
        found = (heavy | {"tkre.project.stages", "tkre.runner"}) & set(sys.modules)
        assert not found, found
        """
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert "- __default__" in done.stdout and "- demo" in done.stdout


def test_replaying_needs_no_model_library(tiny_backbone, tmp_path):
    """All of data generation from recordings, with the libraries of models out of reach."""
    project = Project(tmp_path, tiny_backbone)
    code = textwrap.dedent(
        """
        import sys
        for heavy in ("torch", "transformers", "vllm", "openai", "xgrammar"):
            sys.modules[heavy] = None  # importing it raises ImportError
        from kedro.framework.cli.cli import main
        sys.argv = ["kedro", "run", "--pipelines", "data_generation"]
        main()
        """
    )
    environment = os.environ | {"KEDRO_ENV": "smoke", "TKRE_DATA": "data/01_raw"}
    done = subprocess.run([sys.executable, "-c", code], cwd=project.folder, env=environment,
                          text=True, capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert any("knowledge.jsonl" in file for file in project.outputs())


@pytest.mark.parametrize("head", HEADS)
def test_an_exported_classifier_needs_no_model_library(backbone, schema, toy_rows, tmp_path, head):
    """Loading, labelling and the service's application, with all that is slow to import gone."""
    pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    params = FinetuningParams(
        head=head, layers=(1,) if head == "spans" else (), type_guided=True, swap=True,
        both_directions=True, optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3},
    )  # fmt: skip
    model = build_classifier(backbone, schema, params).eval()
    export_onnx(Checkpoint(model, backbone.tokenizer, backbone.lineage), tmp_path)
    sentences = [to_tagged(row) for row in toy_rows[:3]]
    code = textwrap.dedent(
        """
        import json, sys
        for heavy in ("torch", "transformers", "pandas", "kedro", "sklearn", "scipy", "pyarrow"):
            sys.modules[heavy] = None  # importing it raises ImportError
        from tkre.serving.extractor import RelationExtractor
        predictions = RelationExtractor.from_pretrained(sys.argv[1])(json.loads(sys.argv[2]))
        print(json.dumps([p.probabilities for p in predictions]))
        from tkre.serving.api.app import create_app
        from tkre.serving.api.schemas import ServiceParams
        from tkre.serving.api.server import loaded
        from pathlib import Path
        create_app(loaded(Path(sys.argv[1]), threads=1), ServiceParams())
        """
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path), json.dumps(sentences)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = RelationExtractor(model, backbone.tokenizer)(sentences)
    for one, other in zip(json.loads(done.stdout), expected, strict=True):
        assert one == pytest.approx(other.probabilities, abs=1e-4)
