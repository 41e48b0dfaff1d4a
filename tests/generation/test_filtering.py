from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import instance
from tkre.generation.filtering import filter_summary, filter_synthetic
from tkre.generation.params import FilterParams

PARAMS = FilterParams(backbone="tiny")


def sure(rows, schema, believed=None):
    """What a good classifier says: each row has its label, or the one it is believed to have."""
    probabilities = np.full((len(rows), len(schema.names)), 0.02)
    for n, row in enumerate(rows):
        label = (believed or {}).get(row.id, row.relation)
        probabilities[n, schema.names.index(label)] = 0.94
    return probabilities


@pytest.fixture
def synthetic():
    """Rows of one relation that share no words."""
    return [
        instance(f"<head>p{n}</head> w{n} x{n} y{n} z{n} <tail>q{n}</tail>", "lives_in", id=f"s{n}")
        for n in range(40)
    ]


def reasons(verdicts):
    return dict(verdicts.loc[verdicts["reason"].notna(), ["id", "reason"]].itertuples(index=False))


def test_rows_without_objection_are_kept(synthetic, schema, toy_rows):
    kept, verdicts = filter_synthetic(toy_rows, synthetic, schema, sure(synthetic, schema), PARAMS)
    assert kept == synthetic
    assert reasons(verdicts) == {}
    assert verdicts["id"].tolist() == [row.id for row in synthetic]


def test_contradicted_labels_are_rejected(synthetic, schema):
    believed = {"s1": "home_of", "s2": "knows", "s3": "none", "s4": "home_of"}
    probabilities = sure(synthetic, schema, believed)
    kept, verdicts = filter_synthetic([], synthetic, schema, probabilities, PARAMS)
    assert reasons(verdicts) == {
        "s1": "direction", "s2": "label", "s3": "label", "s4": "direction"
    }  # fmt: skip
    assert [row.id for row in kept] == ["s0", *(f"s{n}" for n in range(5, 40))]
    refused = verdicts.set_index("id").loc["s2"]
    assert (refused["likeliest"], refused["probability"]) == ("knows", 0.02)
    assert refused["likeliest_probability"] == 0.94
    assert refused["confidence"] < 0.5


def test_types_outside_the_schema_are_rejected(synthetic, schema):
    rows = [replace(synthetic[0], head_type="place", tail_type="place"), *synthetic[1:]]
    _, verdicts = filter_synthetic([], rows, schema, sure(rows, schema), PARAMS)
    assert reasons(verdicts) == {"s0": "type"}


def test_near_duplicates_of_golden_and_more_confident_rows_are_rejected(synthetic, schema):
    twin = replace(synthetic[5], id="twin")
    rows = [*synthetic, twin]
    probabilities = sure(rows, schema)
    probabilities[5] = (probabilities[5] + 0.25) / 2
    _, verdicts = filter_synthetic([synthetic[0]], rows, schema, probabilities, PARAMS)
    assert reasons(verdicts) == {"s0": "near_duplicate", "s5": "near_duplicate"}


def test_rows_per_pair_are_limited(synthetic, schema):
    same = [
        instance(f"<head>Anna</head> a{n} b{n} c{n} d{n} <tail>Oslo</tail>", relation, id=f"a{n}")
        for n, relation in enumerate(["lives_in", "none", "lives_in", "lives_in"])
    ]
    rows = [*synthetic, *same]
    _, verdicts = filter_synthetic([], rows, schema, sure(rows, schema), PARAMS)
    assert reasons(verdicts) == {"a3": "alike"}
    more = FilterParams(backbone="tiny", most_alike=3)
    assert reasons(filter_synthetic([], rows, schema, sure(rows, schema), more)[1]) == {}


def test_filter_summary_counts(synthetic, schema):
    other = instance("<head>m</head> never saw the distant <tail>k</tail>", "none", id="other")
    rows = [*synthetic, replace(synthetic[3], id="copy"), other]
    believed = {"s1": "home_of", "s2": "knows"}
    probabilities = sure(rows, schema, believed)
    kept, verdicts = filter_synthetic([], rows, schema, probabilities, PARAMS)
    summary = filter_summary(verdicts).set_index("relation")
    assert summary["synthetic"].sum() == len(rows)
    assert summary["kept"].sum() == len(kept)
    assert summary.loc["lives_in", "reasons"] == "direction 1, label 1, near_duplicate 1"
    assert summary.loc["none", "refused"] == 0


def test_filter_without_rows(schema):
    kept, verdicts = filter_synthetic([], [], schema, np.zeros((0, 4)), PARAMS)
    assert kept == [] and verdicts.empty
    assert list(filter_summary(verdicts)) == ["relation", "synthetic", "kept", "refused", "reasons"]
