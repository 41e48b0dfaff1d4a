from __future__ import annotations

import yaml

from tests.conftest import ROOT
from tests.project.conftest import METRICS
from tkre.project.mlflow import note_of_cell, note_of_experiment
from tkre.training.recipes import written_out

VARIANTS = written_out(
    yaml.safe_load((ROOT / "conf/base/parameters_variants.yml").read_text())["variants"]
)


def test_a_cell_says_what_it_is_and_how_well_it_does(cell):
    told = METRICS | {"recipe": VARIANTS["tkre"], "stale": ["its rows have changed"]}
    first, stale, recipe = note_of_cell(cell, told, "test").split("\n\n")
    assert first == (
        "`tkre` on toy, K = 8, seed 13: micro-F1 44.4 (precision 50.0, recall 40.0) on 20 test "
        "sentences."
    )
    assert stale == "**Stale**: its rows have changed."
    assert recipe.startswith("- Starts from minilm, pre-trained further on")


def test_what_is_not_known_is_not_made_up(cell):
    """A recipe of another version, no score, rows on which recipes are chosen."""
    said = note_of_cell(cell, METRICS | {"micro_f1": None}, "development")
    assert "micro-F1 unknown" in said and "the scores flatter" in said and "\n" not in said


def test_an_experiment_shows_its_scores(catalog):
    said = note_of_experiment(catalog.load("demo.summary"), catalog.load("demo.cells"))
    assert "**toy, K = 8**, per cent; seed 13." in said and "\n| tkre | 44.4 |" in said
