"""A catalog with what a cell and its experiment leave."""

from __future__ import annotations

import pandas as pd
import pytest
from kedro.io import DataCatalog

from tkre.core.cells import Cell, parse_cell
from tkre.core.provenance import Lineage, Step

VERSION = "2026-01-02T03.04.05.678Z"
CELL = parse_cell("toy.k8x4.s13.tkre")
LINEAGE = Lineage(backbone="tiny", origin="a" * 64, steps=(
    Step(stage="mslm", started_from="a" * 64, weights="b" * 64, data="c" * 64, settings={},
         seconds=3.5),
    Step(stage="finetuning", started_from="b" * 64, weights="d" * 64, data="e" * 64, settings={},
         seconds=1.5),
))  # fmt: skip
METRICS = {
    "variant": "tkre", "seed": 13, "micro_precision": 50.0, "micro_recall": 40.0, "micro_f1": 44.4,
    "official_f1": None, "seconds": 5.0, "rows": 20, "stale": [],
    "by_relation": [{"relation": "born_in", "f1": 80.0}, {"relation": "none", "f1": 0.0}],
    "recipe": {"backbone": "minilm", "setfit": None,
               "finetuning": {"layers": [1, 2], "optimisation": {"learning_rate": 1e-4}}},
}  # fmt: skip
GROUP_KEYS = {"corpus": "toy", "shots": 8, "synthetic": 4, "noise": 0, "filtered": False,
              "annotated": 0, "chosen": "in_order",
         "llm": "default", "variant": "tkre"}  # fmt: skip
SUMMARY = pd.DataFrame([
    {**GROUP_KEYS, "metric": metric, "mean": mean, "std": 0.0, "seeds": 1,
     "difference": None, "difference_low": None, "difference_high": None}
    for metric, mean in (("micro_f1", 44.4), ("micro_precision", 50.0), ("micro_recall", 40.0),
                         ("official_f1", 44.4))
])  # fmt: skip


def entry(kind: str, path: str) -> dict[str, object]:
    return {"type": kind, "filepath": path, "versioned": True}


@pytest.fixture
def cell() -> Cell:
    return CELL


@pytest.fixture
def catalog(tmp_path) -> DataCatalog:
    """Each entry of its own version, as runs leave them."""
    folder = f"{tmp_path}/outputs"
    catalog = DataCatalog.from_config(
        {
            "{name}_losses": entry("pandas.CSVDataset", folder + "/{name}_losses.csv"),
            "{name}.summary": entry("pandas.CSVDataset", folder + "/{name}.summary.csv"),
            "{name}.cells": entry("pandas.CSVDataset", folder + "/{name}.cells.csv"),
            "{name}.lineage": entry(
                "tkre.datasets.files.RecordDataset", folder + "/{name}.lineage.json"
            )
            | {"model": "tkre.core.provenance.Lineage"},
            "{name}.{rest}": entry("json.JSONDataset", folder + "/{name}.{rest}.json"),
        },
        save_version=VERSION,
    )
    catalog.save(f"{CELL.name}.test_metrics", METRICS)
    catalog.save(f"{CELL.name}.lineage", LINEAGE)
    catalog.save(
        f"{CELL.name}.test_calibration_scores", {"ece_before": 9.0, "aurc": None, "note": "n"}
    )
    losses = pd.DataFrame({"epoch": [1, 1, 2], "step": [1, 2, 3], "loss": [3.0, 2.0, 1.5],
                           "validation_f1": [None, 10.0, 20.0]})  # fmt: skip
    catalog.save(f"{CELL.name}.finetuning_losses", losses)
    catalog.save("demo.summary", SUMMARY)
    catalog.save(
        "demo.cells", pd.DataFrame([{**GROUP_KEYS, "seed": 13, "rows": 20, "seconds": 5.0}])
    )
    return catalog
