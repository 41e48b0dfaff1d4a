from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.conftest import instance
from tkre.generation.label_errors import (
    label_confidence,
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
def test_the_rate_of_wrong_labels_is_found(schema, rate):
    rows, wrong = labelled(TRUTH, wrong=rate)
    found = label_confidence(rows, schema, PROBABILITIES)
    assert found.wrong_rate + found.inverted_rate == pytest.approx(rate, abs=0.04)
    refused = found.right < 0.5
    if rate:
        assert (refused & wrong).sum() / refused.sum() > 0.8
        assert (refused & wrong).sum() / wrong.sum() > 0.6
    else:
        assert refused.mean() < 0.02


def test_inverted_labels_have_a_rate_of_their_own(schema):
    rows, wrong = labelled(TRUTH, inverted=0.4)
    found = label_confidence(rows, schema, PROBABILITIES)
    assert found.inverted_rate == pytest.approx(0.2, abs=0.06)  # half of the relations have one
    assert found.wrong_rate < 0.05
    assert found.right[wrong].mean() < 0.3
    assert found.right[~wrong].mean() > 0.85


def test_a_classifier_that_is_less_sure_than_it_could_be_is_sharpened(schema):
    rows, _ = labelled(TRUTH, wrong=0.2)
    shy = PROBABILITIES.clip(1e-6) ** 0.4
    found = label_confidence(rows, schema, shy / shy.sum(axis=1, keepdims=True))
    assert found.sharpness == pytest.approx(2.5, rel=0.3)
    assert found.wrong_rate == pytest.approx(0.2, abs=0.05)


def test_a_classifier_that_knows_nothing_accuses_nobody(schema):
    rows, _ = labelled(TRUTH[:40], wrong=0.3)
    assert (label_confidence(rows, schema, np.full((40, 4), 0.25)).right > 0.5).all()


def test_rows_that_could_not_be_judged_are_believed_and_last_in_doubt(schema):
    rows, _ = labelled(TRUTH[:40])
    probabilities = PROBABILITIES[:40].copy()
    probabilities[7] = np.nan
    assert label_confidence(rows, schema, probabilities).right[7] == 1
    last = suspected_label_errors(rows, schema, probabilities).iloc[-1]
    assert last["id"] == "r7"
    assert last["likeliest"] is None and not last["inverted"] and pd.isna(last["doubt"])
    nothing = np.full((40, 4), np.nan)
    assert (label_confidence(rows, schema, nothing).right == 1).all()


def test_doubts_name_the_other_relation_and_whether_it_is_the_inverse(schema):
    rows, _ = labelled(["home_of", "knows", "none", "lives_in"])
    probabilities = np.array(
        [[0.1, 0.0, 0.9, 0.0], [0.0, 0.8, 0.1, 0.1], [0.7, 0.0, 0.0, 0.3], [0.0, 0.1, 0.6, 0.3]]
    )
    frame = suspected_label_errors(rows, schema, probabilities)
    assert frame["id"].tolist() == ["r0", "r2", "r3", "r1"]
    assert frame["likeliest"].tolist() == ["lives_in", "home_of", "none", "lives_in"]
    assert frame["inverted"].tolist() == [True, False, False, False]
    assert frame["doubt"].tolist() == pytest.approx([0.9, 0.7, 1 / 3, 1 / 9])
    assert frame["probability"].tolist() == [0.1, 0.3, 0.6, 0.8]


def test_frames_are_of_these_rows_with_these_labels(schema, tmp_path):
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


def test_no_rows(schema):
    nothing = np.zeros((0, 4))
    assert len(label_confidence([], schema, nothing).right) == 0
    assert suspected_label_errors([], schema, nothing).empty
    assert probabilities_of(probability_frame([], schema, nothing), [], schema).shape == (0, 4)
