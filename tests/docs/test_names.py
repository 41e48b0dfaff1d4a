"""Names in the docs exist: modules with their attributes, parameters, files, YAML."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.docs.configuration import is_parameter, loader
from tests.docs.markdown import PAGES, Block, blocks
from tkre.core.params import GROUPS as ENTRY_POINTS
from tkre.core.schema import RelationSchema
from tkre.project.config import ExperimentConfig, ProjectParameters, assembled
from tkre.training.recipes import changed

SOURCE = ROOT / "src"
GROUPS = "|".join(ProjectParameters.model_fields)
# An entry of conf/, not a file: `calibrator.negative_share`, and not `trust.json`.
ENTRY = re.compile(rf"(?:{GROUPS})(?:\.(?!json|csv|html|yml)[\w<>]+)+")
PLACES = ("conf/", "src/", "docs/", "tests/", "data/01_raw/", "notebooks/")
MADE_BY_READERS = (
    "conf/local/", "data/01_raw/my_", "data/01_raw/theatre", "conf/base/parameters_corpora_theatre",
    "conf/base/experiments_theatre", "conf/base/parameters_corpora_my_",
    "conf/base/experiments_my_", "conf/base/experiments_fewrel", "src/tkre/training/simcse.py",
)  # fmt: skip
YAML = [block for page in PAGES for block in blocks(page) if block.language == "yaml"]


def spans(page: Path) -> list[str]:
    """The inline code of a page."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
    return [re.sub(r"\s+", " ", code) for code in re.findall(r"`([^`]+)`", text)]


def exists(dotted: str) -> bool:
    """Whether a module of the project is there, and a name in it (or in a class of it)."""
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        place = SOURCE.joinpath(*parts[:end])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.is_file():
            return _has(ast.parse(file.read_text(encoding="utf-8")).body, parts[end:])
    return False


def _has(body: list[ast.stmt], path: list[str]) -> bool:
    if not path:
        return True
    for node in body:
        names = [getattr(node, "name", "")]
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names += [target.id for target in targets if isinstance(target, ast.Name)]
        if isinstance(node, ast.ImportFrom):
            names += [alias.name for alias in node.names]
        if path[0] in names:
            return _has(getattr(node, "body", []), path[1:])
    return False


def test_modules_classes_and_functions():
    pattern = re.compile(r"(?<![\w.])tkre(?:\.\w+)+")
    other = {"tkre.log", "tkre.superseded", *ENTRY_POINTS}  # a file, a tag of MLflow, entry points
    named = {(p.name, n) for p in PAGES for code in spans(p) for n in pattern.findall(code)}
    assert [name for name in sorted(named) if name[1] not in other and not exists(name[1])] == []


def test_parameters():
    named = {(p.name, code) for p in PAGES for code in spans(p) if ENTRY.fullmatch(code)}
    assert named
    assert [name for name in sorted(named) if not is_parameter(name[1])] == []


def test_unknown_parameters_are_found():
    assert is_parameter("corpora.<name>.on_leakage")
    assert is_parameter("variants.<name>.finetuning.head")
    assert not is_parameter("corpora.<name>.on_leak") and not is_parameter("generation.nothing")


def test_files():
    paths = {(p.name, code.split(" ")[0]) for p in PAGES for code in spans(p)}
    missing = [
        (page, path)
        for page, path in sorted(paths)
        if path.startswith(PLACES) and not path.startswith(MADE_BY_READERS) and "<" not in path
        if not ((ROOT / path).exists() or list(ROOT.glob(path)))
    ]
    assert missing == []


def overlaid(block: Block) -> ExperimentConfig:
    """The configuration with what a block puts into it; other blocks of its page stand by."""
    parameters, experiments = dict(loader()["parameters"]), dict(loader()["experiments"])
    del parameters["experiments"]
    for other in YAML:
        content = yaml.safe_load(other.code)
        if other.page != block.page or needs_own_parts(content):
            continue
        if other is block and "experiments" in str(block.title):
            experiments |= content
        elif other is block or "variants" in content or "llms" in content.get("generation", {}):
            parameters = changed(parameters, content)
    return ExperimentConfig(assembled(parameters, experiments))


@pytest.mark.parametrize("block", YAML, ids=lambda b: f"{b.page}:{b.title}")
def test_yaml_goes_where_it_says(block):
    content: dict[str, Any] = yaml.safe_load(block.code)
    title = block.title or ""
    if title == "relations.yml":
        RelationSchema.parse(content, block.page)
    elif "catalog" in title:
        for entry in content.values():
            module, _, name = entry.pop("type").rpartition(".")
            getattr(importlib.import_module(module), name)(**entry)
    elif "credentials" in title:
        known = yaml.safe_load((ROOT / "conf/base/credentials.yml").read_text(encoding="utf-8"))
        assert content.keys() <= known.keys()
    elif (title or content.keys() <= ProjectParameters.model_fields.keys()) and not (
        needs_own_parts(content)
    ):
        overlaid(block)


def needs_own_parts(content: dict[str, Any]) -> bool:
    """Whether it uses the new parts of extending.md, which test_extending.py runs."""
    text = yaml.safe_dump(content)
    own = ("my_parts", "format: our_csv", "head: pair", "command:", "simcse", "margin")
    return any(part in text for part in own)


def test_python_imports_existing_names():
    code = [b for p in PAGES for b in blocks(p) if b.language == "python" and not b.title]
    for block in code:
        for node in ast.walk(ast.parse(block.code)):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("tkre"):
                assert all(exists(f"{node.module}.{alias.name}") for alias in node.names), block
