from __future__ import annotations

import importlib
import sys

import pytest

from tkre.core import params
from tkre.core.provenance import versions
from tkre.pipelines.data_generation import gpu_nodes as generation
from tkre.pipelines.finetuning import gpu_nodes as finetuning
from tkre.pipelines.finetuning import nodes
from tkre.pipelines.knowledge_pretraining.gpu_nodes import pretraining_of
from tkre.runner import code
from tkre.runner.code import CodeDigests, of_function

ACME = {
    "__init__.py": "",
    "node.py": """
from acme import shapes
from acme.helpers import LIMIT, unused, used as helper
from acme.registry import PARTS, NAMES

def node(rows):
    'Documented.'
    from .late import late
    return helper(shapes.Round(rows).area), LIMIT, late(), NAMES.check("a")

def loading(rows):
    return PARTS["a"](rows)

def made(rows):
    def inner():
        return shapes
    return inner
""",
    "helpers.py": """
LIMIT = 3
LIMIT += 1

def used(x):
    return _deeper(x)

def _deeper(x):
    return x + 1

def unused(x):
    return x
""",
    "shapes.py": """
class Shape:
    def area(self):
        return 0

class Round(Shape):
    pass

class Square(Shape):
    pass
""",
    "late.py": "def late():\n    return 1\n",
    "registry.py": """
PARTS = {"a": "acme.plugin:part"}
NAMES = {"a": "acme.plugin:other"}
""",
    "plugin.py": "def part(x):\n    return x\n\ndef other(x):\n    return x\n",
}


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A package whose files can be edited; gives the digests of its nodes."""
    for file, text in ACME.items():
        (tmp_path / "acme" / file).parent.mkdir(exist_ok=True)
        (tmp_path / "acme" / file).write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("acme.node")

    def digests(file: str = "", old: str = "", new: str = "") -> dict[str, str]:
        for name, text in ACME.items():
            changed = text.replace(old, new) if name == file else text
            assert name != file or changed != text
            (tmp_path / "acme" / name).write_text(changed)
        code.forget()
        functions = {"node": module.node, "loading": module.loading, "made": module.made(0)}
        found = {name: of_function(function) for name, function in functions.items()}
        kept = CodeDigests(tmp_path / "code.json")  # from one edit to the next
        assert {name: kept.of_function(function) for name, function in functions.items()} == found
        return found

    yield digests
    code.forget()
    for name in [name for name in sys.modules if name.startswith("acme")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("helpers.py", "return x + 1", "return x + 2"),  # two calls away
        ("helpers.py", "LIMIT = 3", "LIMIT = 4"),
        ("helpers.py", "LIMIT += 1", "LIMIT += 2"),
        ("shapes.py", "return 0", "return 1"),  # a base of a class
        ("late.py", "return 1", "return 2"),  # imported in the function
        ("registry.py", '"a": "acme.plugin:other"', '"b": "acme.plugin:other"'),  # a name checked
        ("node.py", "return helper(", "return 1 + helper("),
    ],
)
def test_an_edit_of_what_a_function_uses_changes_its_digest(acme, file, old, new):
    assert acme(file, old, new)["node"] != acme()["node"]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("helpers.py", "def unused(x):\n    return x", "def unused(x):\n    return -x"),
        ("shapes.py", "class Square(Shape):\n    pass", "class Square(Shape):\n    n = 4"),
        ("node.py", "'Documented.'", "'Documented otherwise.'"),
        ("node.py", "def node(rows):\n", "def node(  # why\n    rows):\n\n"),
        ("plugin.py", "def other(x):\n    return x", "def other(x):\n    return -x"),  # not loaded
    ],
)
def test_an_edit_of_anything_else_does_not(acme, file, old, new):
    assert acme(file, old, new)["node"] == acme()["node"]


def test_an_entry_of_a_registry_counts_where_it_is_loaded(acme):
    before, after = acme(), acme("plugin.py", "def part(x):\n    return x", "def part(x): return 0")
    assert before["loading"] != after["loading"] and before["node"] == after["node"]


def test_a_module_that_is_used_as_a_value_counts_as_a_whole(acme):
    assert acme("shapes.py", "class Square(Shape):", "class Box(Shape):")["made"] != acme()["made"]


def test_what_was_edited_meanwhile_is_not_filed_under_the_sources_before(acme, tmp_path):
    before = acme()
    file, helpers = tmp_path / "kept.json", tmp_path / "acme/helpers.py"
    node, loading = (sys.modules["acme.node"].node, sys.modules["acme.node"].loading)
    code.forget()
    kept = CodeDigests(file)
    kept.of_function(loading)  # now the state of the sources is known
    helpers.write_text(ACME["helpers.py"].replace("x + 1", "x + 2"))
    during = kept.of_function(node)
    assert during != before["node"] and kept.of_function(node) == during
    helpers.write_text(ACME["helpers.py"])
    code.forget()  # the next process
    assert CodeDigests(file).of_function(node) == before["node"]


def modules(function, name):
    return {symbol.module for symbol in code.reach(function.__module__, name)[0]}


def test_nodes_reach_what_they_need_and_little_else():
    heads = "tkre.modeling.heads"
    assert heads not in modules(generation.explain, "explain")
    assert heads not in modules(generation.synthesise, "synthesise")
    assert heads in modules(generation.scoring_of("synthetic"), "scoring_of")
    assert heads in modules(finetuning.predict, "predict")
    assert "tkre.training.finetuning" in modules(
        finetuning.finetune_classifier, "finetune_classifier"
    )
    assert "tkre.training.pretraining" in modules(pretraining_of("mslm"), "pretraining_of")
    assert not {m for m in modules(nodes.golden_rows, "golden_rows") if "training" in m}


def test_a_node_reaches_its_backends():
    assert "tkre.generation.llm.vllm" in modules(generation.explain, "explain")


def test_plug_ins_count_where_their_group_is_loaded(monkeypatch):
    monkeypatch.setattr(
        code, "plugin_modules", lambda group: ["colorsys"] if group == "tkre.heads" else []
    )
    code.forget()
    assert "colorsys" in modules(finetuning.predict, "predict")
    assert "colorsys" not in modules(generation.explain, "explain")
    code.forget()
    assert "tkre.heads" in params.GROUPS


def test_an_extra_counts_where_it_is_imported(monkeypatch):
    def found():
        code.forget()
        return [of_function(f) for f in (finetuning.predict, finetuning.train_setfit)]

    before = found()
    without = {"setfit"} & set(versions(["setfit"]))
    assert without, "the dev extra has SetFit"
    monkeypatch.setattr(
        code, "versions", lambda names: versions(n for n in names if n not in without)
    )
    code._versions.cache_clear()
    ours, theirs = found()
    assert ours == before[0] and theirs != before[1]
    code.forget()


def test_templates_are_part_of_the_code_that_reads_them(monkeypatch, tmp_path):
    templates = tmp_path / "pipelines" / "finetuning" / "templates"
    templates.mkdir(parents=True)
    monkeypatch.setattr(code, "ROOT", tmp_path)

    def digest() -> str:
        code.forget()
        return of_function(nodes.golden_rows)

    without = digest()
    (templates / "page.html.j2").write_text("one")
    one = digest()
    (templates / "page.html.j2").write_text("another")
    assert len({without, one, digest()}) == 3
    code.forget()
