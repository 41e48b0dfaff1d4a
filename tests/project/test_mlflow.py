"""Records of cells and experiments for MLflow, without MLflow."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog

from tests.conftest import ROOT
from tests.project.conftest import LINEAGE, METRICS, SUMMARY, VERSION
from tkre.core.cells import parse_cell
from tkre.core.provenance import environment
from tkre.project.mlflow import (
    COMMIT,
    NOTE,
    SOURCE,
    cell_note,
    cell_record,
    experiment_record,
    flat,
)
from tkre.training.recipes import written_out


def test_a_cell_is_recorded_with_its_place_recipe_and_scores(catalog, cell):
    told = cell_record(catalog, cell, "test")
    assert told.name == "toy.k8x4.s13.tkre"
    assert {name: told.tags[name] for name in ("corpus", "k", "seed", "variant", "synthetic")} == {
        "corpus": "toy", "k": "8", "seed": "13", "variant": "tkre", "synthetic": "4",
    }  # fmt: skip
    assert told.tags["weights"] == "d" * 12 and told.tags["stages"] == "mslm, finetuning"
    assert "stale" not in told.tags and "classifier" not in told.tags
    assert told.params == {"backbone": "minilm", "finetuning.layers": "1, 2",
                           "finetuning.optimisation.learning_rate": "0.0001"}  # fmt: skip
    assert told.metrics["micro_f1"] == 44.4 and told.metrics["f1/born_in"] == 80
    assert told.metrics["calibration/ece_before"] == 9
    # What could not be had is no number, and is left out.
    assert not {"official_f1", "calibration/aurc"} & set(told.metrics)
    assert (told.seconds, told.started) == (5.0, datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC))
    json.dumps(told.files)


def test_curves_have_the_steps_of_training(catalog, cell):
    curves = cell_record(catalog, cell, "test").curves
    assert set(curves) == {"finetuning"}
    assert curves["finetuning"]["loss"].tolist() == [3.0, 2.0, 1.5]


def test_a_cell_without_scores_is_not_recorded(catalog):
    assert cell_record(catalog, parse_cell("toy.k8.s21.tkre"), "test") is None
    assert cell_record(catalog, parse_cell("toy.k8x4.s13.tkre"), "development") is None


@pytest.mark.parametrize("change", [{"micro_f1": 50.0}, {"stale": ["its rows have changed"]}])
def test_another_result_has_another_digest_and_the_same_one_the_same(catalog, cell, change):
    told = cell_record(catalog, cell, "test")
    assert told.digest == cell_record(catalog, cell, "test").digest
    later = DataCatalog.from_config(
        catalog.config_resolver.config | catalog.config_resolver._dataset_patterns,
        save_version=VERSION.replace("2026-01", "2026-02"),
    )
    later.save(f"{cell.name}.test_metrics", METRICS | change)
    again = cell_record(later, cell, "test")
    assert again.digest != told.digest and again.started > told.started
    assert again.tags.get("stale") == change.get("stale", [None])[0]


def test_an_experiment_is_recorded_with_its_grid_means_and_tables(catalog, cell):
    told = experiment_record(catalog, "demo", {"corpora": ["toy"], "shots": [8, 16]}, [cell])
    assert told.params == {"corpora": "toy", "shots": "8, 16"}
    assert told.metrics["micro_f1/tkre"] == 44.4 and len(told.metrics) == 4
    assert (told.seconds, told.tags[SOURCE]) == (5.0, "kedro run --pipelines demo")
    assert set(told.tables) == {"summary", "cells"} and told.artifacts == []
    assert experiment_record(catalog, "other", {}, []) is None


def test_means_are_named_by_what_differs(catalog, cell):
    """So that a server samples the variants side by side, and names stay short."""
    more = SUMMARY.assign(shots=16, mean=55.55559)
    catalog.save("two.summary", pd.concat([SUMMARY, more]))
    cells = catalog.load("demo.cells")
    catalog.save("two.cells", pd.concat([cells, cells.assign(shots=16)]))
    told = experiment_record(catalog, "two", {}, [])
    assert told.metrics["micro_f1/shots-8/tkre"] == 44.4
    assert told.metrics["micro_f1/shots-16/tkre"] == 55.5556


def test_the_revision_is_recorded_if_all_cells_share_it(catalog, cell):
    assert COMMIT not in cell_record(catalog, cell, "test").tags
    place = environment().model_copy(update={"revision": "abc"})
    steps = [step.model_copy(update={"environment": place}) for step in LINEAGE.steps]
    lineage = LINEAGE.model_copy(update={"steps": tuple(steps)})
    later = DataCatalog.from_config(
        catalog.config_resolver.config | catalog.config_resolver._dataset_patterns,
        save_version=VERSION.replace("2026-01", "2026-02"),
    )
    later.save(f"{cell.name}.lineage", lineage)
    assert cell_record(later, cell, "test").tags[COMMIT] == "abc"


def test_parameters_are_written_by_dotted_names():
    assert flat({"a": {"b": [1, 2], "c": None}, "d": True}) == {"a.b": "1, 2", "d": "True"}


def test_the_note_of_a_cell_holds_scores_staleness_and_recipe(cell):
    variants = yaml.safe_load((ROOT / "conf/base/parameters_variants.yml").read_text())["variants"]
    metrics = METRICS | {"recipe": written_out(variants)["tkre"], "stale": ["its rows differ"]}
    first, stale, recipe = cell_note(cell, metrics, "test").split("\n\n")
    for fact in ("`tkre`", "toy", "K = 8", "seed 13", "20 test", "micro-F1 44.4", "recall 40.0",
                 "official F1 unknown"):  # fmt: skip
        assert fact in first
    assert stale == "**Stale**: its rows differ." and recipe.startswith("- Starts from minilm")


def test_the_note_of_a_recipe_of_another_version_has_no_words(cell):
    note = cell_note(cell, METRICS | {"micro_f1": None}, "development")
    assert "micro-F1 unknown" in note and "optimistic" in note and "- " not in note


def test_the_note_of_an_experiment_is_its_tables(catalog, cell):
    note = experiment_record(catalog, "demo", {}, [cell]).tags[NOTE]
    assert "**toy, K = 8**, per cent; seed 13." in note and "\n| tkre | 1 | 44.4 |" in note
