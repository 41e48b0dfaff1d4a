"""The rules of the house: floors, sizes, what nodes may do, what loads without torch."""

from __future__ import annotations

import ast
import builtins
import os
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.smoke_project import Project

PACKAGE = ROOT / "src" / "tkre"
FILES = sorted(PACKAGE.rglob("*.py"))
# A room imports itself and the floors below; no room imports its neighbour.
FLOORS = [
    {"core"},
    {"corpora", "generation"},
    {"modeling", "evaluation"},
    {"training"},
    {"report", "serving"},
    {"datasets", "pipelines"},
    {"runner", "project"},
    {"cli", "settings", "pipeline_registry", "__main__"},
]
# The floors of the science and of what serves it know nothing of Kedro.
SCIENCE = set().union(*FLOORS[:5])
NODES = sorted((PACKAGE / "pipelines").rglob("*nodes.py"))
FILE_LIMIT, FUNCTION_LIMIT = 400, 60
KINDS = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
EXCEPTIONS = {name for name, kind in KINDS.items() if issubclass(kind, BaseException)}
# Caught where it is raised: a synthetic sentence that is not taken, and counted.
NO_REFUSALS = {"Rejected"}
CONVERSIONS = {"from_frame", "to_frame", "model_validate", "model_dump"}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def name(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports(path: Path, package: str) -> set[str]:
    return {n for n in imported(path) if n == package or n.startswith(f"{package}.")}


def calls(path: Path) -> list[ast.expr]:
    return [node.func for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]


def called(path: Path) -> set[str]:
    return {
        call.id if isinstance(call, ast.Name) else call.attr
        for call in calls(path)
        if isinstance(call, ast.Name | ast.Attribute)
    }


def test_every_room_has_a_floor():
    assert {room(path) for path in FILES} - {"__init__"} == set().union(*FLOORS)


def test_imports_lead_down():
    floors = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    up = [
        f"{name(path)} imports {module}"
        for path in FILES
        if room(path) in floors
        for module in imports(path, "tkre")
        if (other := module.split(".")[1:2]) and other[0] in floors and other[0] != room(path)
        if floors[other[0]] >= floors[room(path)]
    ]
    assert not up


def test_science_does_not_know_of_kedro():
    knowing = [
        name(path)
        for path in FILES
        if room(path) in SCIENCE and (imports(path, "kedro") or imports(path, "kedro_datasets"))
    ]
    assert not knowing


def test_nodes_are_functions_without_kedro_paths_files_or_conversions():
    assert len(NODES) >= 8
    for path in NODES:
        assert not imports(path, "kedro"), name(path)
        assert not {"os", "pathlib", "shutil", "io"} & imported(path), name(path)
        assert not {"open"} & called(path), name(path)
    converting = [
        f"{name(path)}: {found}" for path in NODES if (found := CONVERSIONS & called(path))
    ]
    assert not converting


def test_files_and_functions_are_small():
    large = [name(p) for p in FILES if len(p.read_text("utf-8").splitlines()) > FILE_LIMIT]
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                start = node.body[0].end_lineno if ast.get_docstring(node) else node.lineno
                if node.end_lineno - start > FUNCTION_LIMIT:
                    large.append(f"{name(path)}: {node.name}")
    assert not large


def test_every_refusal_has_the_base_that_is_shown_without_a_traceback():
    """By its own bases: a name with an underscore never leaves its module."""
    without = [
        f"{name(path)}: {node.name}"
        for path in FILES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        if (bases := {ast.unparse(base) for base in node.bases}) & EXCEPTIONS
        if not bases & {"UserError"} and node.name not in {"UserError", *NO_REFUSALS}
    ]
    assert not without


def test_there_is_no_room_for_odds_and_ends():
    assert not {"utils", "helpers", "common", "misc"} & {path.stem for path in FILES}


def test_no_pickle_no_eval():
    found = []
    for path in FILES:
        attributes = {
            (call.value.id, call.attr)
            for call in calls(path)
            if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)
        }
        names = {call.id for call in calls(path) if isinstance(call, ast.Name)}
        if (
            {"pickle", "joblib", "dill", "cloudpickle"} & imported(path)
            or {"eval", "exec", "__import__", "compile"} & names
            or {("torch", "load"), ("yaml", "load"), ("torch", "save")} & attributes
        ):
            found.append(name(path))
    assert not found


def test_the_graph_loads_without_torch():
    code = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from kedro.framework.startup import bootstrap_project

        def check(step):
            heavy = {"torch", "transformers", "vllm", "openai", "sklearn"} & set(sys.modules)
            assert not heavy, f"{step} loads {heavy}"

        bootstrap_project(Path.cwd())
        import tkre.settings
        check("settings")
        import tkre.generation.llm.registry
        check("the registry of language models")
        from tkre.cli import cli
        for name in cli.list_commands(None):
            cli.get_command(None, name)
        check("the command line")
        import tkre.datasets.checkpoint
        check("the dataset of checkpoints")
        from tkre.pipeline_registry import register_pipelines
        for pipeline in register_pipelines().values():
            pipeline.nodes
        check("the graph")
        """
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
        heavy = {"torch", "transformers", "sklearn", "scipy", "numpy", "pandas", "pyarrow",
                 "matplotlib", "pandera"}
        found = (heavy | {"tkre.project.stages", "tkre.runner"}) & set(sys.modules)
        assert not found, found
        """
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert "- __default__" in done.stdout and "- demo" in done.stdout


@pytest.mark.e2e
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
