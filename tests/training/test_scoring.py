from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import instance
from tkre.modeling.settings import ClassifierSettings
from tkre.training.scoring import both_ways, labels_of, ruled_out_by_types, with_natural_prior


def named(negative, least):
    return ClassifierSettings(
        {0: "a", 1: "b", 2: "none"}, negative=negative, least_probability=least
    )


def test_a_relation_that_is_not_likely_enough_is_none():
    rows = np.array([[0.7, 0.2, 0.1], [0.3, 0.5, 0.2], [0.2, 0.1, 0.7], [0.6, 0.3, 0.1]])
    assert labels_of(rows, named("none", 0.0)) == ["a", "b", "none", "a"]
    assert labels_of(rows, named("none", 0.6)) == ["a", "none", "none", "a"]
    assert labels_of(rows, named(None, 0.6)) == ["a", "b", "none", "a"]
    assert labels_of(rows[:0], named("none", 0.6)) == []


def test_relations_that_do_not_join_the_types_are_ruled_out():
    allowed = {"a": [["person"], ["place"]], "b": [["place"], []]}
    config = ClassifierSettings({0: "a", 1: "b", 2: "c"}, allowed_types=allowed)
    sentence = "<head>x</head> <tail>y</tail>"
    rows = [
        instance(sentence, head_type="person", tail_type="place"),
        instance(sentence, head_type="place", tail_type="place"),
        instance(sentence, head_type="date", tail_type="date"),
        instance(sentence),
    ]
    given = np.tile([0.5, 0.3, 0.2], (4, 1))
    guided = ruled_out_by_types(given, rows, config)
    assert guided[0] == pytest.approx([5 / 7, 0, 2 / 7])
    assert guided[1] == pytest.approx([0, 0.6, 0.4])
    assert guided[2] == pytest.approx([0, 0, 1])
    assert guided[3] == pytest.approx(given[3])
    certain = np.array([[1.0, 0.0, 0.0]])  # nothing would be left
    assert ruled_out_by_types(certain, rows[2:3], config)[0] == pytest.approx(certain[0])


def test_two_readings_are_averaged_over_inverse_relations():
    inverses = {"a": "b", "b": "a", "s": "s"}
    config = ClassifierSettings({0: "a", 1: "b", 2: "s", 3: "x"}, inverses=inverses)
    forward = np.array([[0.4, 0.3, 0.2, 0.1]])
    inverted = np.array([[0.1, 0.6, 0.2, 0.1]])
    mixed = both_ways(forward, inverted, config)
    expected = np.array([(0.4 + 0.6) / 2, (0.3 + 0.1) / 2, 0.2, 0.1])
    assert mixed[0] == pytest.approx(expected / expected.sum())


def test_natural_text_has_its_own_prior():
    config = ClassifierSettings(
        {0: "a", 1: "b", 2: "none"}, natural_prior={"none": 0.8, "b": 0.05, "a": 0.15}
    )
    given = np.array([[0.5, 0.3, 0.2], [0.98, 0.01, 0.01]])
    weighed = with_natural_prior(given, config)
    expected = given * np.array([0.15, 0.05, 0.8])
    assert weighed == pytest.approx(expected / expected.sum(axis=1, keepdims=True))
    assert labels_of(weighed, config) == ["none", "a"]
    assert with_natural_prior(given, ClassifierSettings({0: "a"})) is given
