from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import instance
from tkre.generation.label_errors import (
    filter_scores,
    label_confidence,
    plant_noise,
    probabilities_of,
    probability_frame,
    suspected_label_errors,
)

NAMES = ["home_of", "knows", "lives_in", "none"]  # in the schema's order


def labelled(truth, wrong=0.0, inverted=0.0, seed=0):
    """Rows whose labels are wrong at some rates; which are."""
    generator = np.random.default_rng(seed)
    draws, rows, flags = generator.random(len(truth)), [], []
    for n, label in enumerate(truth):
        shown = label
        if draws[n] < wrong:
            shown = str(generator.choice([name for name in NAMES if name != label]))
        elif draws[n] < wrong + inverted:
            shown = {"home_of": "lives_in", "lives_in": "home_of"}.get(label, label)
        rows.append(instance(f"<head>a{n}</head> b <tail>c</tail>", shown, id=f"r{n}"))
        flags.append(shown != label)
    return rows, np.array(flags)


def judged(truth, skill, seed=1):
    """Probabilities of a calibrated classifier: the truth is drawn from what it says."""
    generator = np.random.default_rng(seed)
    probabilities = generator.dirichlet(np.full(4, skill), len(truth))
    for row, label in zip(probabilities, truth, strict=True):
        drawn, own = generator.choice(4, p=row), NAMES.index(label)
        row[[drawn, own]] = row[[own, drawn]]
    return probabilities


TRUTH = [NAMES[n % 4] for n in range(1200)]
PROBABILITIES = judged(TRUTH, 0.15)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_wrong_rate_is_estimated(schema, rate):
    rows, wrong = labelled(TRUTH, wrong=rate)
    right = label_confidence(rows, schema, PROBABILITIES)
    assert 1 - right.mean() == pytest.approx(rate, abs=0.04)
    refused = right < 0.5
    if rate:
        assert (refused & wrong).sum() / refused.sum() > 0.8
        assert (refused & wrong).sum() / wrong.sum() > 0.6
    else:
        assert refused.mean() < 0.02


def test_inverted_rate_is_estimated(schema):
    rows, wrong = labelled(TRUTH, inverted=0.4)
    right = label_confidence(rows, schema, PROBABILITIES)
    assert 1 - right.mean() == pytest.approx(0.2, abs=0.06)  # half of the relations have one
    assert right[wrong].mean() < 0.3
    assert right[~wrong].mean() > 0.85


def test_underconfident_classifier_is_sharpened(schema):
    rows, _ = labelled(TRUTH, wrong=0.2)
    shy = PROBABILITIES.clip(1e-6) ** 0.4
    right = label_confidence(rows, schema, shy / shy.sum(axis=1, keepdims=True))
    assert 1 - right.mean() == pytest.approx(0.2, abs=0.05)


def test_uninformative_classifier_rejects_nothing(schema):
    rows, _ = labelled(TRUTH[:40], wrong=0.3)
    assert (label_confidence(rows, schema, np.full((40, 4), 0.25)) > 0.5).all()


def test_unjudged_rows_are_trusted_and_ranked_last(schema):
    rows, _ = labelled(TRUTH[:40])
    probabilities = PROBABILITIES[:40].copy()
    probabilities[7] = np.nan
    assert label_confidence(rows, schema, probabilities)[7] == 1
    last = suspected_label_errors(rows, schema, probabilities).iloc[-1]
    assert last["id"] == "r7"
    assert last["likeliest"] is None and not last["inverted"] and pd.isna(last["error_score"])
    nothing = np.full((40, 4), np.nan)
    assert (label_confidence(rows, schema, nothing) == 1).all()


def test_suspected_errors_name_the_likeliest_relation_and_inversion(schema):
    rows, _ = labelled(["home_of", "knows", "none", "lives_in"])
    probabilities = np.array(
        [[0.1, 0.0, 0.9, 0.0], [0.0, 0.8, 0.1, 0.1], [0.7, 0.0, 0.0, 0.3], [0.0, 0.1, 0.6, 0.3]]
    )
    frame = suspected_label_errors(rows, schema, probabilities)
    assert frame["id"].tolist() == ["r0", "r2", "r3", "r1"]
    assert frame["likeliest"].tolist() == ["lives_in", "home_of", "none", "lives_in"]
    assert frame["inverted"].tolist() == [True, False, False, False]
    assert frame["error_score"].tolist() == pytest.approx([0.9, 0.7, 1 / 3, 1 / 9])
    assert frame["probability"].tolist() == [0.1, 0.3, 0.6, 0.8]


def test_probability_frame_must_match_rows_and_labels(schema, tmp_path):
    rows, _ = labelled(TRUTH[:5])
    file = tmp_path / "probabilities.parquet"
    probability_frame(rows, schema, PROBABILITIES[:5]).to_parquet(file)
    frame = pd.read_parquet(file)
    assert (probabilities_of(frame, rows, schema) == PROBABILITIES[:5]).all()
    for others in (rows[:4], [*rows[:4], replace(rows[4], relation="none")]):
        with pytest.raises(ValueError, match="score the rows again"):
            probabilities_of(frame, others, schema)
    with pytest.raises(ValueError, match="4 rows and 4 relations"):
        label_confidence(rows[:4], schema, PROBABILITIES[:5])


def test_label_errors_without_rows(schema):
    nothing = np.zeros((0, 4))
    assert len(label_confidence([], schema, nothing)) == 0
    assert suspected_label_errors([], schema, nothing).empty
    assert probabilities_of(probability_frame([], schema, nothing), [], schema).shape == (0, 4)


def planted_ids(rows, schema, share, seed=3):
    _, planted = plant_noise(rows, schema, share, seed)
    return set(planted.loc[planted["planted"].notna(), "id"])


def test_planted_noise_changes_only_labels(toy_rows, schema):
    noisy, planted = plant_noise(toy_rows, schema, 0.4, seed=3)
    changed = [n for n, (a, b) in enumerate(zip(toy_rows, noisy, strict=True)) if a != b]
    assert len(changed) == 8
    for n in changed:
        assert noisy[n].relation != toy_rows[n].relation
        assert (noisy[n].text, noisy[n].head) == (toy_rows[n].text, toy_rows[n].head)
    assert planted["relation"].tolist() == [row.relation for row in toy_rows]
    assert planted["planted"].dropna().tolist() == [noisy[n].relation for n in changed]


def test_planted_noise_is_nested_and_seeded(toy_rows, schema):
    noisy = {share: plant_noise(toy_rows, schema, share, 3)[0] for share in (0.1, 0.2, 0.4)}
    for small, large in ((0.1, 0.2), (0.2, 0.4)):
        for row, a, b in zip(toy_rows, noisy[small], noisy[large], strict=True):
            assert a in (row, b)
    assert planted_ids(toy_rows, schema, 0.2, 3) != planted_ids(toy_rows, schema, 0.2, 4)
    assert plant_noise(toy_rows, schema, 0.0, 3)[0] == toy_rows


def test_planted_labels_respect_types(toy_rows, schema):
    noisy, _ = plant_noise(toy_rows, schema, 1.0, seed=3)
    assert all(schema.allows(r.relation, r.head_type, r.tail_type) for r in noisy)
    no_none = schema.model_copy(
        update={"relations": {k: v for k, v in schema.relations.items() if k != "none"}}
    )
    row = next(r for r in toy_rows if r.relation == "lives_in")
    [other], _ = plant_noise([row], no_none, 1.0, seed=3)
    assert other.relation in {"home_of", "knows"}  # all of them forbidden, so any


def test_planted_labels_without_types(schema):
    rows = [instance(f"<head>a{n}</head> b <tail>c</tail>", "knows", id=f"i{n}") for n in range(60)]
    noisy, _ = plant_noise(rows, schema, 1.0, seed=3)
    assert {r.relation for r in noisy} == {"lives_in", "home_of", "none"}


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_planted_share_is_validated(share, toy_rows, schema):
    with pytest.raises(ValueError, match="between 0 and 1"):
        plant_noise(toy_rows, schema, share, seed=3)


def test_filter_precision_and_recall(toy_rows, schema):
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
