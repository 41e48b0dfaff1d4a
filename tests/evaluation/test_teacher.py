from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from tests.conftest import instance
from tests.evaluation.test_results import metrics
from tkre.evaluation.bootstrap import paired_share
from tkre.evaluation.metrics import counts
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.predictions import probabilities_of
from tkre.evaluation.results import IncompleteExperiment
from tkre.evaluation.teacher import ComparedCell, answered_predictions, teacher_table
from tkre.generation.annotation import Annotation, LabelKind

PARAMS = ReportingParams(resamples=200)
KIND = LabelKind("classification", "seed-13/", triggers=False)
EFFORT = {"rows": 5, "prompt_tokens": 5000, "completion_tokens": 50, "recorded": False,
          "seconds": None, "dollars": 0.1}  # fmt: skip
NEEDS = {"llm_in_context": "an answer for each sentence", "tkre": "written"}


def test_the_confidence_is_the_probability_and_the_others_share_the_rest(schema):
    rows = [instance(f"<head>A</head> saw <tail>B</tail> {n}.", "knows", id=f"t{n}") for n in "01"]
    answer = instance(
        "<head>A</head> saw <tail>B</tail> 1.", "none", id=KIND.request_id("toy", "t1")
    )
    frame = answered_predictions(rows, [Annotation(answer, 0.7)], schema, KIND)
    assert frame[["id", "gold", "predicted", "probability"]].to_dict("records") == [
        {"id": "t1", "gold": "knows", "predicted": "none", "probability": 0.7}
    ]
    assert frame["p.knows"].item() == pytest.approx(0.1)
    assert probabilities_of(frame).sum() == pytest.approx(1)


def test_no_answer_at_all_is_an_empty_frame(schema):
    assert answered_predictions([], [], schema, KIND).empty


def predictions(labels, ids="abcdef"):
    gold = dict(zip("abcdef", ["a", "a", "b", "b", "no", "no"], strict=True))
    return pd.DataFrame({"id": list(ids), "gold": [gold[i] for i in ids], "predicted": labels})


def cell(name, frame, **more):
    found = metrics(name, frame)
    return ComparedCell(found, frame, needs=NEEDS[found["variant"]], **more)


# Wrong in one of the four rows that it answered, in another order than the student's.
TEACHER = cell(
    "toy.k8.s13.llm_in_context",
    predictions(["no", "b", "b", "a"], "edcb"),
    effort=EFFORT,
    answers=0,
)


def test_students_are_scored_on_the_rows_of_the_teacher():
    student = cell(
        "toy.k8.s13.tkre", predictions(["b", "b", "b", "b", "no", "a"]),
        speed={"rows": 50, "seconds": 2.0, "parameters": 3_000_000}, answers=17,
    )  # fmt: skip
    table = teacher_table([TEACHER, student], PARAMS).set_index("variant")
    itself, taught = table.loc["llm_in_context"], table.loc["tkre"]
    assert (taught["rows"], taught["asked"], taught["micro_f1"]) == (4, 5, pytest.approx(200 / 3))
    assert itself["micro_f1"] == 100 and pd.isna(itself["share"])
    assert taught["share"] == pytest.approx(200 / 3)
    assert taught["share_low"] <= taught["share"] <= taught["share_high"]
    assert (taught["seconds"], taught["prompt_tokens"], taught["answers"]) == (40, 0, 17)
    # Costs are of the sentences that were asked about, answered or not; a replay has no seconds.
    assert itself["prompt_tokens"] == 1_000_000 and itself["dollars"] == pytest.approx(20)
    assert pd.isna(itself["seconds"]) and itself["tokens"] == "estimated"
    assert table["needs"].tolist() == ["an answer for each sentence", "written"]
    unmeasured = replace(student, speed={"rows": 0, "seconds": 0.0, "parameters": 3_000_000})
    assert pd.isna(teacher_table([TEACHER, unmeasured], PARAMS)["seconds"]).all()


def test_cells_of_other_samples_are_no_students():
    others = [
        cell(name, predictions(["a"] * 6))
        for name in (
            "toy.k8.s21.tkre",
            "toy.k4.s13.tkre",
            "toy.k8_qwen.s13.tkre",
            "other.k8.s13.tkre",
        )
    ]
    assert len(teacher_table([TEACHER, *others], PARAMS)) == 1


def test_a_student_without_a_prediction_for_a_row_is_refused():
    student = cell("toy.k8.s13.tkre", predictions(["a", "a"], "ab"))
    with pytest.raises(IncompleteExperiment, match="tkre of toy has no prediction for e"):
        teacher_table([TEACHER, student], PARAMS)


def test_a_teacher_that_finds_nothing_is_no_measure():
    silent = cell("toy.k8.s13.llm_in_context", predictions(["no"] * 3, "abe"), effort=EFFORT)
    student = cell("toy.k8.s13.tkre", predictions(["a"] * 6))
    assert teacher_table([silent, student], PARAMS)["share"].isna().all()


def test_the_share_is_paired():
    gold = ["a", "b"] * 50
    ours = counts(gold, [*gold[:80], *["no"] * 20], "no", "micro")
    same = paired_share(ours, ours, range(len(gold)), PARAMS)
    assert same == pytest.approx((100, 100))
    low, high = paired_share(ours, counts(gold, gold, "no", "micro"), range(len(gold)), PARAMS)
    assert 80 < low < 100 * 160 / 180 < high < 96
