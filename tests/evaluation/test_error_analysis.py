from __future__ import annotations

import pandas as pd
import pytest

from tests.conftest import instance
from tests.evaluation.test_calibrator import fit, predictions
from tkre.evaluation.calibrator import calibrate
from tkre.evaluation.error_analysis import (
    CELLS_COLUMNS,
    ERROR_COLUMNS,
    PAIRS_COLUMNS,
    DiagnosedCell,
    collapse_table,
    confused_pairs,
    errors_table,
    sentences_of,
)
from tkre.evaluation.params import DiagnosisParams


def rows(frame):
    return [
        instance(f"<head>a{n}</head> and <tail>b</tail>", relation, id=i)
        for n, (i, relation) in enumerate(zip(frame["id"], frame["gold"], strict=True))
    ]


def test_all_wrong_rows_the_most_confident_first_with_calibrated_probabilities():
    frame, calibrator = predictions(200, noise=0.9), fit(predictions(200, seed=1))
    table = errors_table(rows(frame), frame, calibrator)
    wrong = frame[frame["gold"] != frame["predicted"]]
    assert 0 < len(table) == len(wrong) and set(table["id"]) == set(wrong["id"])
    assert table["probability"].is_monotonic_decreasing
    first = table.iloc[0]
    calibrated = calibrate(frame, calibrator, None).set_index("id").loc[first["id"]]
    assert first["probability"] == calibrated["probability"]
    assert first["gold_probability"] == pytest.approx(calibrated[f"p.{first['gold']}"])
    assert first["text"][first["head_start"] : first["head_end"]].startswith("a")
    assert first["text"][first["tail_start"] : first["tail_end"]] == "b"
    sentence = sentences_of(table)[0]
    assert (sentence.id, sentence.text) == (first["id"], first["text"])
    assert sentence.tail.of(sentence.text) == "b"


def test_without_an_error_there_is_an_empty_table():
    frame = predictions(20, noise=0.01)
    table = errors_table(rows(frame), frame, fit(predictions(50)))
    assert table.empty and list(table) == ERROR_COLUMNS


PARAMS = DiagnosisParams(pairs=6)
AT = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False, "annotated": 0,
      "chosen": "in_order", "llm": "default"}  # fmt: skip
ALIKE = {("home_of", "lives_in"): (0.9, 0.95), ("knows", "lives_in"): (0.7, 0.1),
         ("home_of", "knows"): (-0.2, 0.8)}  # fmt: skip


def centroids(names):
    rows = [
        (a, b, *ALIKE.get((a, b), (-0.5, -0.5)))
        for n, a in enumerate(names)
        for b in names[n + 1 :]
    ]
    columns = ["relation", "other", "centroid_similarity", "definition_similarity"]
    return pd.DataFrame(rows, columns=columns)


def diagnosed(schema, pairs, seed=13, variant="tkre"):
    """A cell whose rows are pairs of a gold and a predicted label."""
    return DiagnosedCell(
        AT | {"seed": seed, "variant": variant},
        pd.DataFrame(pairs, columns=["gold", "predicted"]),
        schema,
        centroids(schema.names),
        {"rows": 4, "alignment": 0.5, "uniformity": -1.0},
    )


RIGHT = [(name, name) for name in ("lives_in", "home_of", "knows", "none")]
FLIP, MISSED, INVENTED = ("lives_in", "home_of"), ("knows", "none"), ("none", "knows")


def test_the_most_confused_pairs_and_why(schema):
    cells = [
        diagnosed(schema, [*RIGHT, FLIP, FLIP, FLIP, MISSED, ("knows", "lives_in")], seed=13),
        diagnosed(schema, [*RIGHT, FLIP, INVENTED, RIGHT[0], RIGHT[0], RIGHT[2]], seed=21),
    ]
    table = confused_pairs(cells, PARAMS)
    assert list(table) == PAIRS_COLUMNS
    rows = {(r["gold"], r["predicted"]): r for r in table.to_dict("records")}
    assert next(iter(rows)) == FLIP and rows[FLIP]["count"] == 2
    assert rows[FLIP]["share_of_gold"] == pytest.approx(100 * 2 / 4)
    assert rows[FLIP]["share_of_errors"] == pytest.approx(100 * 4 / 7)
    # Inverse definitions are alike by nature, their centroids need not be.
    assert rows[FLIP]["diagnosis"] == "direction; centroids too close"
    assert rows[MISSED]["diagnosis"] == "missed"
    assert rows[INVENTED]["diagnosis"] == "invented"
    assert rows["knows", "lives_in"]["diagnosis"] == "centroids too close"
    assert rows["knows", "lives_in"]["definition_similarity"] == 0.1  # in either order
    # Confused by nothing, and too close all the same: told once.
    assert rows["home_of", "knows"]["count"] == 0
    assert rows["home_of", "knows"]["diagnosis"] == "definitions too close"
    assert ("knows", "home_of") not in rows and ("home_of", "lives_in") not in rows


def test_pairs_are_listed_by_variant_up_to_the_limit(schema):
    cells = [diagnosed(schema, [*RIGHT, FLIP, MISSED]), diagnosed(schema, RIGHT, variant="other")]
    table = confused_pairs(cells, PARAMS.model_copy(update={"pairs": 1}))
    assert table[["variant", "count"]].to_numpy().tolist() == [["tkre", 1], ["other", 0]]
    assert table["share_of_errors"].tolist() == [50, 0]


def test_figures_of_a_cell(schema):
    pairs = [*RIGHT, FLIP, ("home_of", "lives_in"), ("knows", "lives_in"), MISSED]
    table = collapse_table([diagnosed(schema, pairs)])
    assert list(table) == CELLS_COLUMNS
    [row] = table.to_dict("records")
    # A symmetric relation has no wrong direction.
    assert (row["rows"], row["rows_with_inverse"], row["direction_flips"]) == (8, 4, 50)
    # home_of and lives_in to one another, knows to lives_in, none to any.
    assert row["nearest_centroid_mean"] == pytest.approx((0.1 + 0.1 + 0.3 + 1.5) / 4)
    assert row["nearest_centroid_min"] == pytest.approx(0.1)
    assert row["closest_centroids"] == "home_of / lives_in"
    assert (row["seed"], row["alignment"], row["uniformity"]) == (13, 0.5, -1)


def test_collapse_is_a_low_entropy(schema):
    [row] = collapse_table([diagnosed(schema, [(name, "knows") for name, _ in RIGHT])]).to_dict(
        "records"
    )
    assert (row["gold_entropy"], row["predicted_entropy"]) == (2, 0)
    assert row["never_predicted"] == "home_of, lives_in, none"


def test_a_classifier_without_features_and_a_corpus_without_inverses(newsroom_schema):
    no_centroids = centroids(newsroom_schema.names).assign(centroid_similarity=float("nan"))
    cell = DiagnosedCell(
        AT | {"corpus": "newsroom", "shots": 0, "seed": 13, "variant": "prompt"},
        pd.DataFrame({"gold": ["born_in", "spouse_of"], "predicted": ["died_in", "born_in"]}),
        newsroom_schema,
        no_centroids,
        {"rows": 0, "alignment": None, "uniformity": None},
    )
    [row] = collapse_table([cell]).to_dict("records")
    assert row["rows_with_inverse"] == 0 and pd.isna(row["direction_flips"])
    assert pd.isna(row["nearest_centroid_min"]) and row["closest_centroids"] == ""
    assert confused_pairs([cell], PARAMS)["diagnosis"].tolist() == ["", ""]


def test_nothing_scored(schema):
    empty = diagnosed(schema, [])
    [row] = collapse_table([empty]).to_dict("records")
    assert row["rows"] == 0 and row["predicted_entropy"] == 0
    assert (confused_pairs([empty], PARAMS)["count"] == 0).all()


def test_a_cell_that_was_not_measured(schema):
    whole = diagnosed(schema, [*RIGHT, FLIP])
    cell = DiagnosedCell(whole.metrics, whole.predictions, schema)
    [row] = collapse_table([cell]).to_dict("records")
    assert row["direction_flips"] == pytest.approx(100 / 3) and pd.isna(row["alignment"])
    [pair] = confused_pairs([cell], PARAMS).to_dict("records")
    assert pair["diagnosis"] == "direction" and pd.isna(pair["centroid_similarity"])
