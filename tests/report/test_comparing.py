from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.conftest import instance
from tests.evaluation import test_calibrator
from tkre.evaluation.error_analysis import errors_table
from tkre.report.notebooks import by_relation, confident_mistakes, gained, outcomes

ROWS = [
    instance(f"<head>A{n}</head> met <tail>B{n}</tail>", r, id=f"t{n}") for n, r in enumerate("rrss")
]


def predictions(said: list[str], probability: list[float] | None = None) -> pd.DataFrame:
    return pd.DataFrame({"id": [f"t{n}" for n in range(4)], "gold": ["r", "r", "s", "s"],
                         "predicted": said, "probability": probability or [0.5] * 4})  # fmt: skip


ONE, OTHER = predictions(["r", "s", "r", "s"]), predictions(["r", "r", "s", "r"])


def test_the_surest_mistakes_come_first_with_their_sentences():
    said = predictions(["s", "r", "r", "r"], [0.6, 0.99, 0.9, 0.7])
    scores = said["probability"].to_numpy()
    for label in "rs":
        said[f"p.{label}"] = np.where(said["predicted"] == label, scores, 1 - scores)
    calibrator = test_calibrator.fit(test_calibrator.predictions(50)).model_copy(update={"temperature": 2.0})
    errors = errors_table(ROWS, said, calibrator)
    table = confident_mistakes(errors, 2)
    assert table["id"].tolist() == ["t2", "t3"]
    assert table["sentence"].tolist()[0] == "<head>A2</head> met <tail>B2</tail>"
    assert table["probability"].tolist() == errors["probability"].tolist()[:2]
    assert table["probability"][0] < 0.9  # calibrated, as in the report


def test_outcomes_are_counted_over_the_same_rows():
    table = outcomes(ONE, OTHER, ("one", "other"))
    assert table.loc["right", "right"] == 1 and table.loc["right", "wrong"] == 1
    assert table.loc["wrong", "right"] == 2 and table.loc["wrong", "wrong"] == 0
    assert (table.index.name, table.columns.name) == ("one", "other")


def test_rows_are_gained_one_way_and_lost_the_other():
    table = gained(ONE, OTHER, ROWS)
    assert table["id"].tolist() == ["t1", "t2"] and table["one_said"].tolist() == ["s", "r"]
    assert gained(OTHER, ONE, ROWS)["id"].tolist() == ["t3"]


def test_other_rows_are_not_compared():
    with pytest.raises(ValueError, match="one corpus, K and seed"):
        outcomes(ONE, OTHER.head(2), ("one", "other"))


def test_relations_that_differ_most_come_first():
    def cell(variant, *f1):
        scores = [{"relation": r, "f1": x} for r, x in zip("ab", f1, strict=True)]
        return {"variant": variant, "seed": 13, "by_relation": scores}

    table = by_relation([cell("v", 50.0, 10.0), cell("w", 55.0, 90.0)])
    assert table.index.tolist() == ["b", "a"]
    assert list(table) == ["v, seed 13", "w, seed 13"]
