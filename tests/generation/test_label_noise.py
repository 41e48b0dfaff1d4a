from __future__ import annotations

import math

import pytest

from tests.conftest import instance
from tkre.generation.label_errors import filter_scores, plant_noise


def planted_ids(rows, schema, share, seed=3):
    _, planted = plant_noise(rows, schema, share, seed)
    return set(planted.loc[planted["planted"].notna(), "id"])


def test_a_share_of_the_labels_is_another_and_nothing_else_changes(toy_rows, schema):
    noisy, planted = plant_noise(toy_rows, schema, 0.4, seed=3)
    changed = [n for n, (a, b) in enumerate(zip(toy_rows, noisy, strict=True)) if a != b]
    assert len(changed) == 8
    for n in changed:
        assert noisy[n].relation != toy_rows[n].relation
        assert (noisy[n].text, noisy[n].head) == (toy_rows[n].text, toy_rows[n].head)
    assert planted["relation"].tolist() == [row.relation for row in toy_rows]
    assert planted["planted"].dropna().tolist() == [noisy[n].relation for n in changed]


def test_shares_are_nested_and_seeds_differ(toy_rows, schema):
    noisy = {share: plant_noise(toy_rows, schema, share, 3)[0] for share in (0.1, 0.2, 0.4)}
    for small, large in ((0.1, 0.2), (0.2, 0.4)):
        for row, a, b in zip(toy_rows, noisy[small], noisy[large], strict=True):
            assert a in (row, b)
    assert planted_ids(toy_rows, schema, 0.2, 3) != planted_ids(toy_rows, schema, 0.2, 4)
    assert plant_noise(toy_rows, schema, 0.0, 3)[0] == toy_rows


def test_types_allow_the_wrong_label_if_they_allow_any(toy_rows, schema):
    noisy, _ = plant_noise(toy_rows, schema, 1.0, seed=3)
    assert all(schema.allows(r.relation, r.head_type, r.tail_type) for r in noisy)
    no_none = schema.model_copy(
        update={"relations": {k: v for k, v in schema.relations.items() if k != "none"}}
    )
    row = next(r for r in toy_rows if r.relation == "lives_in")
    [other], _ = plant_noise([row], no_none, 1.0, seed=3)
    assert other.relation in {"home_of", "knows"}  # all of them forbidden, so any


def test_without_types_any_other_label_may_be_drawn(schema):
    rows = [instance(f"<head>a{n}</head> b <tail>c</tail>", "knows", id=f"i{n}") for n in range(60)]
    noisy, _ = plant_noise(rows, schema, 1.0, seed=3)
    assert {r.relation for r in noisy} == {"lives_in", "home_of", "none"}


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_a_share_is_one(share, toy_rows, schema):
    with pytest.raises(ValueError, match="between 0 and 1"):
        plant_noise(toy_rows, schema, share, seed=3)


def test_scores_of_a_filter(toy_rows, schema):
    _, planted = plant_noise(toy_rows, schema, 0.4, seed=3)
    wrong = planted.loc[planted["planted"].notna(), "id"].tolist()
    right = planted.loc[planted["planted"].isna(), "id"].tolist()
    scores = filter_scores(planted, [*wrong[:6], *right[:3]])
    assert (scores["found"], scores["rejected"], scores["planted"], scores["rows"]) == (6, 9, 8, 20)
    assert scores["precision"] == pytest.approx(100 * 6 / 9)
    assert scores["recall"] == 75
    assert scores["lost"] == 25
    assert math.isnan(filter_scores(planted, [])["precision"])
    with pytest.raises(ValueError, match="'unknown'"):
        filter_scores(planted, ["unknown"])
