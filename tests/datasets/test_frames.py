from __future__ import annotations

import pandas as pd
import pytest
import yaml
from kedro.io import DataCatalog
from pandera.errors import SchemaErrors

from tests.conftest import ROOT
from tests.evaluation.test_calibrator import predictions
from tkre.datasets import frames
from tkre.generation.rejections import Reject, Tally, rejects_frame, yield_frame

FRAME = predictions(20)
REJECT = Reject("synthesis", "a", "r", "near_duplicate", "a copy", "text")
TALLY = Tally(wanted=3, requested=4, answered=3, kept=2, rejects=[REJECT])
CELL = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False, "annotated": 0,
        "chosen": "in_order", "llm": "default", "seed": 13, "variant": "tkre",
        "micro_precision": 50.0,
        "micro_recall": 50.0, "micro_f1": 50.0, "official_f1": None, "seconds": 1.5,
        "rows": 4}  # fmt: skip
SUMMARY = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False,
           "annotated": 0, "chosen": "in_order",
           "llm": "default", "variant": "tkre", "metric": "micro_f1", "mean": 50.0, "std": 0.0,
           "seeds": 1, "difference": None, "difference_low": None,
           "difference_high": None}  # fmt: skip
LOSSES = {"epoch": [1, 1], "step": [1, 2], "loss": [2.0, 1.0]}
GOOD = {
    "PREDICTIONS": FRAME,
    "RAW_PREDICTIONS": FRAME.drop(columns="gold"),
    "LOSSES": pd.DataFrame(LOSSES),
    "CELLS": pd.DataFrame([CELL]),
    "SUMMARY": pd.DataFrame([SUMMARY]),
    "REJECTS": rejects_frame([REJECT]),
    "YIELD": yield_frame("synthesis", {"a": TALLY}),
    "ANNOTATIONS": pd.DataFrame({"id": ["a"], "text": ["t"], "relation": ["r"],
                                 "confidence": [0.5]}),
}  # fmt: skip
BAD = {
    "PREDICTIONS": {"gold": None},
    "RAW_PREDICTIONS": {"probability": 0.123},
    "LOSSES": {"step": [2, 1]},
    "CELLS": {"micro_f1": 101.0},
    "SUMMARY": {"std": -1.0},
    "REJECTS": {"kind": "other"},
    "YIELD": {"short": 0},
    "ANNOTATIONS": {"confidence": 50},
}


@pytest.mark.parametrize("name", GOOD)
def test_valid_frames_pass_and_invalid_ones_fail(name):
    schema, frame = getattr(frames, name), GOOD[name]
    assert schema.validate(frame, lazy=True).equals(frame)
    assert len(schema.validate(frame.iloc[:0], lazy=True)) == 0
    with pytest.raises(SchemaErrors):
        schema.validate(frame.assign(**BAD[name]), lazy=True)
    with pytest.raises(SchemaErrors):
        schema.validate(frame.iloc[:, 1:], lazy=True)


def test_a_reject_without_a_relation_is_read_as_it_was_written(tmp_path):
    path = ROOT / "conf/base/catalog_data_generation.yml"
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    rejects = {n: e for n, e in entries.items() if n.endswith("rejects")}
    frame = rejects_frame([Reject("annotation", "", "r", "not_json", "", "NA")])
    for n, entry in enumerate(rejects.values()):
        saved = entry | {"filepath": str(tmp_path / f"{n}.csv"), "versioned": False}
        catalog = DataCatalog.from_config({"rejects": saved})
        catalog.save("rejects", frame)
        assert catalog.load("rejects").equals(frame)
    assert len(rejects) == 3
