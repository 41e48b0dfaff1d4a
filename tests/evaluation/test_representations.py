from __future__ import annotations

import numpy as np
import pytest

from tkre.evaluation.representations import (
    alignment_uniformity,
    centred_cosines,
    similar_pairs,
    unit,
)

NAMES = ["a", "b", "c"]
DEFINITIONS = np.eye(3) + 5.0  # much in common, and what differs is as different as can be


def test_what_all_have_in_common_is_taken_off():
    cosines = centred_cosines(DEFINITIONS)
    assert unit(DEFINITIONS)[0] @ unit(DEFINITIONS)[1] > 0.98
    assert cosines[0, 1] == pytest.approx(-1 / 2)  # -1 / (R - 1)
    assert np.diag(cosines) == pytest.approx(1)


def test_similarities_of_centroids_and_definitions():
    features = np.array([[1.0, 0, 0], [3, 0, 0], [1, 0.1, 0], [0, 0, 2]])
    pairs = similar_pairs(NAMES, features, ["a", "a", "b", "c"], DEFINITIONS)
    pairs = pairs.set_index(["relation", "other"])
    assert list(pairs.index) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert pairs.loc[("a", "b"), "centroid_similarity"] > 0.9
    assert pairs.loc[("a", "c"), "centroid_similarity"] < -0.9
    assert pairs["definition_similarity"].to_numpy() == pytest.approx(-1 / 2)


def test_length_does_not_count():
    features = np.array([[1.0, 0, 1], [0, 1, 0], [0, 0, 1]])
    again = similar_pairs(NAMES, features * [[7.0], [1], [3]], NAMES, DEFINITIONS)
    assert np.allclose(
        again["centroid_similarity"],
        similar_pairs(NAMES, features, NAMES, DEFINITIONS)["centroid_similarity"],
    )


def test_a_relation_without_rows_has_no_centroid():
    pairs = similar_pairs(NAMES, np.eye(3)[:2], ["a", "b"], DEFINITIONS)
    known = pairs["centroid_similarity"].notna()
    assert pairs[known][["relation", "other"]].to_numpy().tolist() == [["a", "b"]]
    without = similar_pairs(NAMES, np.empty((0, 3)), [], DEFINITIONS)
    assert without["centroid_similarity"].isna().all()
    assert without["definition_similarity"].notna().all()


def test_alignment_and_uniformity():
    right = np.array([[2.0, 0], [1, 0], [0, 1], [0, 5]])
    tight = alignment_uniformity(right, ["a", "a", "b", "b"])
    assert tight == {"rows": 4, "alignment": pytest.approx(0), "uniformity": pytest.approx(
        np.log((2 + 4 * np.exp(-4)) / 6)
    )}  # fmt: skip
    assert alignment_uniformity(right, ["a", "b", "b", "a"])["alignment"] == pytest.approx(2)
    collapsed = alignment_uniformity(np.ones((4, 2)), ["a", "a", "b", "b"])
    assert collapsed["uniformity"] == pytest.approx(0)


def test_no_pairs_no_figures():
    nothing = {"alignment": None, "uniformity": None}
    assert alignment_uniformity(np.empty((0, 2)), []) == {"rows": 0} | nothing
    assert alignment_uniformity(np.ones((1, 2)), ["a"]) == {"rows": 1} | nothing
    assert alignment_uniformity(np.eye(2), ["a", "b"])["alignment"] is None
