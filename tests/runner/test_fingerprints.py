from __future__ import annotations

from kedro.io import DataCatalog, MemoryDataset
from kedro_datasets.json import JSONDataset

from tkre.datasets.corpus import CorpusFolderDataset, NameDataset
from tkre.runner.fingerprints import of_dataset, of_path, of_value
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
    file = tmp_path / "a" / "x.json"
    assert of_path(file) is None
    file.parent.mkdir()
    file.write_text("1")
    one, folder = of_path(file), of_path(file.parent)
    file.write_text("22")
    assert of_path(file) != one
    file.write_text("1")
    assert (of_path(file), of_path(file.parent)) == (one, folder)
    file.rename(file.with_name("y.json"))
    assert of_path(tmp_path / "a") != folder


def test_datasets_say_what_stands_for_them(tmp_path):
    catalog = DataCatalog(
        {
            "file": JSONDataset(filepath=str(tmp_path / "file.json")),
            "cell": NameDataset(cell="toy.k8.s13.tkre"),
            "memory": MemoryDataset([1]),
            "params:n": MemoryDataset(3),
        }
    )
    assert of_dataset(catalog, "file") is None
    catalog["file"].save({"a": 1})
    assert of_dataset(catalog, "file")
    assert of_dataset(catalog, "cell") == "toy.k8.s13.tkre"
    assert of_dataset(catalog, "memory") is None
    assert of_dataset(catalog, "params:n") == of_value(3)


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
    then = of_dataset(catalog, "a.folder")
    (tmp_path / "a/other.json").write_text("not read")
    assert of_dataset(catalog, "a.folder") == then
    for file in ("a/relations.yml", "a/test.json", "b/train.json", "b/fix.json"):
        (tmp_path / file).write_text("other")
        assert of_dataset(catalog, "a.folder") != then
        (tmp_path / file).write_text("{}")
