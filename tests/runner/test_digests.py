from __future__ import annotations

import ast

from kedro.io import DataCatalog, MemoryDataset
from kedro_datasets.json import JSONDataset

from tkre.core.provenance import versions
from tkre.datasets.corpus import CorpusFolderDataset
from tkre.datasets.names import NameDataset
from tkre.pipelines.finetuning import gpu_nodes, nodes
from tkre.pipelines.finetuning import gpu_nodes as others
from tkre.runner import fingerprints as digests
from tkre.runner.fingerprints import ContentDigests, of_function, of_value
from tkre.training.params import AlignmentParams


def test_parameters_are_compared_by_content():
    assert of_value({"a": 1, "b": [2]}) == of_value({"b": [2], "a": 1})
    assert of_value({"a": 1}) != of_value({"a": 2})
    typed = AlignmentParams(weight=0.5, temperature=0.1)
    assert of_value(typed) == of_value(typed.model_copy())
    assert of_value(typed) != of_value(typed.model_copy(update={"weight": 0.4}))
    # Kedro hands on a group as a model or as it stands in the file, depending on what else runs.
    assert of_value({"a": typed}) == of_value({"a": {"temperature": 0.1, "weight": 0.5}})
    whole = AlignmentParams(weight=1, temperature=0.1)
    assert of_value(whole) == of_value({"weight": 1, "temperature": 0.1})
    assert of_value(True) != of_value(1)


def test_files_are_compared_by_content(tmp_path):
    content = ContentDigests()
    file = tmp_path / "a" / "x.json"
    assert content.of_path(file) is None
    file.parent.mkdir()
    file.write_text("1")
    one, folder = content.of_path(file), content.of_path(file.parent)
    file.write_text("22")
    assert content.of_path(file) != one
    file.write_text("1")
    assert (content.of_path(file), content.of_path(file.parent)) == (one, folder)
    file.rename(file.with_name("y.json"))
    assert content.of_path(tmp_path / "a") != folder


def test_datasets_say_what_stands_for_them(tmp_path):
    catalog = DataCatalog(
        {
            "file": JSONDataset(filepath=str(tmp_path / "file.json")),
            "cell": NameDataset(cell="toy.k8.s13.tkre"),
            "memory": MemoryDataset([1]),
            "params:n": MemoryDataset(3),
        }
    )
    content = ContentDigests()
    assert content.of(catalog, "file") is None
    catalog["file"].save({"a": 1})
    assert content.of(catalog, "file")
    assert content.of(catalog, "cell") == "toy.k8.s13.tkre"
    assert content.of(catalog, "memory") is None
    assert content.of(catalog, "params:n") == of_value(3)


def test_a_corpus_is_the_files_that_its_parameters_name(tmp_path):
    for file in ("a/relations.yml", "a/test.json", "b/train.json", "b/fix.json", "a/other.json"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("{}")
    params = {
        "format": "tacred", "train": "../b/train.json", "test": "test.json",
        "labels": {"train": "../b/fix.json", "drop_unlisted": True},
    }  # fmt: skip
    catalog = DataCatalog(
        {
            "a.folder": CorpusFolderDataset(name="a", filepath=str(tmp_path / "a")),
            "params:corpora.a": MemoryDataset(params),
        }
    )
    content = ContentDigests()
    then = content.of(catalog, "a.folder")
    (tmp_path / "a/other.json").write_text("not read")
    assert content.of(catalog, "a.folder") == then
    for file in ("a/relations.yml", "a/test.json", "b/train.json", "b/fix.json"):
        (tmp_path / file).write_text("other")
        assert content.of(catalog, "a.folder") != then
        (tmp_path / file).write_text("{}")


def test_of_code_the_meaning_counts():
    def meaning(text: str) -> str:
        return ast.dump(digests._reduced(ast.parse(text)))

    code = "def f(x):\n    'Says what.'\n    return x + 1\n"
    assert meaning(code) == meaning("def f(x):  # why\n    '''Says more.'''\n    return (x + 1)\n")
    assert meaning(code) != meaning("def f(x):\n    return x + 2\n")


def test_code_is_followed_to_what_it_reaches(monkeypatch):
    digests._of_module.cache_clear()
    training, selecting = of_function(gpu_nodes.predict), of_function(nodes.golden_rows)
    read = digests._syntax

    def changed(module: str) -> ast.Module | None:  # the loss, three imports away, lazily
        return ast.parse("CHANGED = 1") if module == "tkre.training.finetuning" else read(module)

    monkeypatch.setattr(digests, "_syntax", changed)
    digests._of_module.cache_clear()
    assert of_function(gpu_nodes.predict) != training
    assert of_function(nodes.golden_rows) == selecting
    digests._of_module.cache_clear()


def test_an_extra_counts_where_it_is_imported(monkeypatch):
    def found():
        digests._of_module.cache_clear()
        return [of_function(f) for f in (gpu_nodes.predict, others.train_setfit)]

    before = found()
    without = {"setfit"} & set(versions(["setfit"]))
    assert without, "the dev extra has SetFit"
    monkeypatch.setattr(
        digests, "versions", lambda names: versions(n for n in names if n not in without)
    )
    ours, theirs = found()
    assert ours == before[0] and theirs != before[1]
    digests._of_module.cache_clear()


def test_code_of_other_packages_is_followed_within_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for file, text in {
        "acme/__init__.py": "from . import parts\n",
        "acme/parts/__init__.py": "from .reader import rows\nimport acme.other\n",
        "acme/parts/reader.py": "from ..words import WORDS\nimport numpy\n",
        "acme/words.py": "WORDS = 1\n",
        "acme/other.py": "from tkre.core.instance import Span\n",
    }.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
    waiting, reached = ["acme"], set()
    while waiting:
        name = waiting.pop()
        tree = digests._syntax(name)
        if tree is not None and name not in reached:
            reached.add(name)
            waiting += digests._imported(tree, name)
    assert {name for name in reached if name.startswith("acme")} == {
        "acme", "acme.parts", "acme.parts.reader", "acme.words", "acme.other",
    }  # fmt: skip
    assert "tkre.core.instance" in reached and "numpy" not in reached
    (tmp_path / "single.py").write_text("X = 1\n")
    assert digests._syntax("single") is not None and digests._syntax("single.X") is None


def test_templates_are_part_of_the_code_that_reads_them(monkeypatch, tmp_path):
    package = tmp_path / "tkre" / "made_up"
    (package / "templates").mkdir(parents=True)
    (package / "page.py").write_text("X = 1\n")
    template = package / "templates" / "page.html.j2"
    monkeypatch.setattr(digests, "ROOT", tmp_path / "tkre")

    def digest() -> str:
        digests._of_module.cache_clear()
        return digests._of_module("tkre.made_up.page")

    without = digest()
    template.write_text("one")
    one = digest()
    template.write_text("another")
    assert len({without, one, digest()}) == 3
    digests._of_module.cache_clear()
