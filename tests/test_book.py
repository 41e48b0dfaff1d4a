from __future__ import annotations

from copy import deepcopy

import pytest
from kedro.config import OmegaConfigLoader

from tkre.book import Book, ConfigurationError
from tkre.grid import parse_cell
from tkre.settings import CONFIG_LOADER_ARGS


@pytest.fixture(scope="module")
def conf(root):
    loader = OmegaConfigLoader(str(root / "conf"), **CONFIG_LOADER_ARGS)
    return loader["experiments"], loader["parameters"]


def changed(conf, path, value):
    experiments, parameters = deepcopy(conf)
    root = experiments if path[0] in experiments else parameters
    for key in path[:-1]:
        root = root[key]
    root[path[-1]] = value
    return Book(experiments, parameters)


def test_what_is_shipped_is_consistent(conf):
    book = Book(*conf)
    assert book.parameters.default_experiment == "demo"
    assert [cell.name for cell in book.cells("demo")] == [
        f"newsroom.k8.s13.{variant}" for variant in ("typ_marker", "tkre", "tkre_plus")
    ]
    assert len(book.cells("semeval")) == 9


def test_variants_that_use_no_knowledge_share_their_cell(conf):
    names = {cell.name for cell in Book(*conf).cells("semeval_x4")}
    assert "semeval2010_task8.k8.s13.typ_marker" in names
    assert "semeval2010_task8.k8x4.s13.tkre_plus" in names


def test_every_corpus_is_an_experiment(conf):
    book = Book(*conf)
    assert {cell.draw.corpus for cell in book.cells("scierc")} == {"scierc"}
    mine = changed(conf, ["corpora", "mine"], {"format": "native", "train": "t.jsonl"})
    assert parse_cell("mine.k8.s13.tkre") in mine.cells("mine")


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (["bogus"], 1, "bogus: there is no such entry"),
        (["variants", "tkre", "finetuning", "presentation"], 1,
         "finetuning.presentation: there is no such entry .did you mean 'presentations'"),
        (["variants", "tkre", "finetuning", "presentations"], "many",
         r"presentations: .*\(it is 'many'\)"),
        (["corpora", "newsroom", "format"], "xml", "corpora.newsroom.format"),
        (["generation", "language_model", "backend"], "oracle", "generation.language_model"),
        (["default_experiment"], "demmo", "'demmo' is not an experiment .did you mean 'demo'"),
        (["demo", "corpora"], ["newsrom"],
         "experiment demo: there is no corpus 'newsrom' .did you mean 'newsroom'"),
        (["demo", "variants"], ["tkree"], "there is no variant 'tkree' .did you mean 'tkre'"),
        (["demo", "seed"], [1], "demo.seed: there is no such entry .did you mean 'seeds'"),
    ],
)  # fmt: skip
def test_wrong_entries_are_named_with_the_way_out(conf, path, value, problem):
    with pytest.raises(ConfigurationError, match=problem):
        changed(conf, path, value)


def test_all_wrong_entries_are_listed_at_once(conf):
    experiments, parameters = deepcopy(conf)
    parameters["one"], parameters["two"] = 1, 2
    with pytest.raises(ConfigurationError, match=r"(?s)2 wrong.*one: there is.*two: there is"):
        Book(experiments, parameters)
