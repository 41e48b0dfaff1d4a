from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.conftest import instance
from tkre.core.errors import UserError
from tkre.generation.annotation import Annotation
from tkre.generation.annotation_weights import (
    calibrated_confidence,
    judge_annotations,
    with_true_labels,
)


def simulated(rows: int, seed: int = 0):
    """Stated confidences that are 0.15 too high, right labels by the true ones, and a judge."""
    random = np.random.default_rng(seed)
    stated = random.choice([0.5, 0.65, 0.8, 1.0], size=rows)
    true = np.where(stated == 1, 1.0, stated - 0.15)
    right = random.random(rows) < true
    agrees = np.where(right, random.random(rows) < 0.7, random.random(rows) < 0.05)
    return stated, true, agrees


def test_a_confidence_that_is_stated_too_high_is_corrected():
    stated, true, agrees = simulated(8000)
    calibrated = calibrated_confidence(stated, agrees)
    assert np.abs(calibrated - true).mean() < 0.05 < np.abs(stated - true).mean()
    order = np.argsort(stated)
    assert (np.diff(calibrated[order]) >= 0).all() and calibrated.max() == 1


def test_equal_confidences_have_equal_weights():
    agrees = np.array([True, False, True])
    assert calibrated_confidence(np.full(3, 0.9), agrees).tolist() == [1, 1, 1]
    assert calibrated_confidence(np.array([0.1, 0.9]), np.zeros(2, bool)).tolist() == [1, 1]


def test_judgements_have_weights_and_suspicions(schema):
    names = schema.names
    rows = [
        instance(f"<head>anna</head> lives in <tail>town{n}</tail> .", relation="lives_in")
        for n in range(40)
    ]
    rows = [replace(row, id=f"annotation/toy/{n}") for n, row in enumerate(rows)]
    probabilities = np.full((40, len(names)), 0.02)
    # The judge prefers the inverse in the last four rows, which are stated without confidence.
    for n in range(40):
        probabilities[n, names.index("home_of" if n >= 36 else "lives_in")] = 0.94
    probabilities[0] = np.nan
    stated = [0.3 if n >= 36 else 0.9 for n in range(40)]
    annotations = [Annotation(row, c) for row, c in zip(rows, stated, strict=True)]
    frame = judge_annotations(annotations, schema, probabilities, least_confidence=0.5)
    assert frame["confidence"].tolist() == stated
    assert frame["weight"].tolist() == [1.0] * 36 + [0.0] * 4
    assert frame["reason"].tolist() == [None] * 36 + ["direction"] * 4
    # What a person has said is neither suspected nor evidence on the language model.
    told = replace(rows[36], id="reviewed/36")
    frame = judge_annotations(
        [*annotations[:36], Annotation(told, 1.0), *annotations[37:]], schema, probabilities, 0.5
    )
    assert frame["weight"].tolist() == [1.0] * 37 + [0.0] * 3
    assert frame["reason"].tolist() == [None] * 37 + ["direction"] * 3


def test_reviewed_rows_hide_no_errors_of_the_language_model(schema):
    names, random = schema.names, np.random.default_rng(0)
    wrong = random.random(200) < 0.3
    doubted = random.uniform(0.02, 0.7, 1200)  # how likely the judge holds another relation
    doubted[:200][wrong] = random.uniform(0.9, 0.99, wrong.sum())
    probabilities = np.full((1200, len(names)), 0.02)
    probabilities[:, names.index("lives_in")] = 1 - doubted
    probabilities[:, names.index("knows")] = doubted
    row = instance("<head>anna</head> lives in <tail>rome</tail> .", relation="lives_in")
    rows = [replace(row, id=f"annotation/toy/{n}") for n in range(200)]
    reviewed = [replace(row, id=f"reviewed/{n}") for n in range(1000)]
    alone, beside = (
        judge_annotations(
            [Annotation(r, 0.9) for r in given], schema, probabilities[: len(given)], 0.5
        )
        for given in (rows, [*rows, *reviewed])
    )
    assert alone["reason"].notna().sum() >= wrong.sum() / 2
    assert beside["reason"][:200].equals(alone["reason"]) and not beside["reason"][200:].any()


def test_no_annotations_have_no_judgements(schema):
    assert judge_annotations([], schema, np.zeros((0, len(schema.names))), 0.5).empty


def test_true_labels_come_from_the_training_split():
    row = instance("<head>a</head> met <tail>b</tail> .", relation="knows")
    annotated = [replace(row, id="annotation/toy/t/1", triggers=("met",))]
    train = [replace(row, id="t/1", relation="lives_in")]
    [found] = with_true_labels(annotated, train)
    assert (found.id, found.relation, found.triggers) == ("annotation/toy/t/1", "lives_in", ())
    with pytest.raises(UserError, match=r"1 annotated rows, such as 't/1'.*train_ids"):
        with_true_labels(annotated, [replace(row, id="t/2")])
