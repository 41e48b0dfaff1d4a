from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tkre.generation.params import CrossFitParams
from tkre.training.active_learning import Chooser, margins, smallest, typical

PARAMS = CrossFitParams(layers=(1, 2), inverse_regularisation=0.1, max_overlap=0.9)


def clusters(sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Points in tight clusters of different directions, and the number of each one's cluster."""
    cluster = np.repeat(range(len(sizes)), sizes)
    random = np.random.default_rng(0)
    return np.eye(len(sizes))[cluster] + random.normal(
        size=(len(cluster), len(sizes))
    ) / 100, cluster


def test_margins_are_between_the_two_likeliest():
    assert margins(np.array([[0.5, 0.2, 0.3], [0.1, 0.8, 0.1]])) == pytest.approx([0.2, 0.7])


def test_the_smallest_that_are_not_taken():
    values = np.array([0.3, 0.1, 0.2, 0.1])
    assert smallest(values, [1], 2) == [3, 2]
    assert smallest(values, [], 9) == [1, 3, 2, 0]


def test_typical_rows_are_one_of_each_cluster_the_largest_first():
    points, cluster = clusters([9, 30, 4, 6])
    chosen = typical(points, [], 4, 13)
    assert cluster[chosen].tolist() == [1, 0, 3, 2]
    assert typical(points, [], 4, 13) == chosen
    # Clusters with a row that is taken come last.
    taken = [int(np.flatnonzero(cluster == n)[0]) for n in (1, 3)]
    assert cluster[typical(points, taken, 2, 13)].tolist() == [0, 2]


def test_the_row_in_the_middle_of_its_neighbours_is_typical():
    angles = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 3.0])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    assert typical(points, [5], 1, 13) == [2]
    assert typical(10 * points, [5], 1, 13) == [2]  # only directions count


def test_every_row_is_chosen_at_most_once_and_none_that_is_taken(monkeypatch):
    points, _ = clusters([3, 2])
    assert sorted(typical(points, [2], 9, 13)) == [0, 1, 3, 4]
    assert typical(points, [0, 1, 2, 3, 4], 2, 13) == []
    monkeypatch.setattr("tkre.training.active_learning._CLUSTERS", 2)
    points, cluster = clusters([20, 10])
    assert np.bincount(cluster[typical(points, [0, 1], 8, 13)]).tolist() == [3, 5]


@pytest.fixture(scope="module")
def choosers(backbone, toy_rows, schema):
    golden, synthetic = toy_rows[:8], toy_rows[8:12]
    candidates = [replace(row, relation=None) for row in toy_rows[12:]]

    def chooser(way, *, golden=golden, synthetic=synthetic):
        return Chooser(way, backbone, golden, synthetic, candidates, schema, PARAMS, 13)

    return chooser


def test_ways_of_choosing(choosers, toy_rows):
    count = len(toy_rows[12:])
    for way in ("diverse", "uncertain", "uncertain_and_diverse"):
        choose = choosers(way)
        first = choose([], {}, 3)
        assert len(set(first)) == 3 and choosers(way)([], {}, 3) == first
        labels = {n: str(toy_rows[12 + n].relation) for n in first[:2]}
        rest = choose(first, labels, count)
        assert sorted([*first, *rest]) == list(range(count))


def test_answers_change_what_is_uncertain_and_not_what_is_diverse(choosers, toy_rows):
    taken, labels = [0], {0: str(toy_rows[12].relation)}
    other = {0: next(str(r.relation) for r in toy_rows if r.relation != toy_rows[12].relation)}
    doubts = [choosers("uncertain")._probabilities(known) for known in (labels, other)]
    assert not np.allclose(*doubts)
    assert choosers("diverse")(taken, labels, 3) == choosers("diverse")(taken, other, 3)


def test_without_labels_typical_rows_are_chosen(choosers):
    diverse = choosers("diverse", golden=[], synthetic=[])([], {}, 3)
    for way in ("uncertain", "uncertain_and_diverse"):
        assert choosers(way, golden=[], synthetic=[])([], {}, 3) == diverse
