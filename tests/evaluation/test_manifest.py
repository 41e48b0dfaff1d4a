"""What differs between a result and its repetition, in words."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.report.contents import ENVIRONMENT
from tkre.core.cells import parse_cell, parse_sample
from tkre.core.provenance import Lineage, Step
from tkre.corpora.params import CorpusParams
from tkre.evaluation.manifest import (
    TOLERANCE,
    changed_answers,
    differences,
    manifest_of,
    sample_record,
)
from tkre.evaluation.params import CalibrationParams
from tkre.generation.llm.protocol import Response

CELL = "toy.k8.s13.tkre"
SAMPLE = parse_sample("toy.k8.s13")
ANSWERS = [Response("a", answer={"x": 1}, finished="2026-11-28T10:00:00")]
PLACE = ENVIRONMENT.model_copy(update={"device": "CPU", "threads": 1, "precision": "bf16"})


def predicted(*probabilities: float) -> pd.DataFrame:
    labels = ["yes" if p >= 0.5 else "no" for p in probabilities]
    ids = [str(n) for n in range(len(labels))]
    return pd.DataFrame({"id": ids, "predicted": labels, "p.yes": probabilities})


def manifest(*, f1=80.0, weights="w", epochs=10, file="1", answers=ANSWERS, place=PLACE,
             probabilities=(0.9, 0.4), support=()):  # fmt: skip
    step = Step(stage="finetuning", started_from="o", weights=weights, data="d", settings={},
                seconds=1.0, environment=place)  # fmt: skip
    return manifest_of(
        [{"reading": {"corpus": "toy", "files": {"train.jsonl": file * 64}},
          "corpus": CorpusParams(format="native", train="train.jsonl")}],
        [{"sample": SAMPLE, "support": support, "explanation_responses": answers}],
        [{"cell": parse_cell(CELL), "lineage": Lineage(backbone="b", origin="o", steps=(step,)),
          "metrics": {"recipe": {"finetuning": {"epochs": epochs}}, "micro_f1": f1},
          "predictions": predicted(*probabilities)}],
        {"calibration": CalibrationParams()},
    )  # fmt: skip


def test_the_same_result_is_the_same():
    found = differences(manifest(), manifest(), CELL)
    assert found.verdict == "same" and not (*found.inputs, *found.places, *found.results)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"epochs": 5}, "variants.tkre.finetuning.epochs: 10 then, 5 now"),
        ({"file": "2"}, f"sha256 of toy/train.jsonl: {'1' * 12}... then, {'2' * 12}... now"),
        ({"answers": []}, "answers of toy.k8.s13: explanation: "),
    ],
)
def test_changed_inputs_are_named_and_the_effect_is_no_matter_of_processors(changed, line):
    now = manifest(f1=79.5, weights="v", **changed)
    found = differences(manifest(), now, CELL)
    assert found.inputs[0].startswith(line) and found.verdict == "differs"
    assert found.results == ("weights: w then, v now", "micro_f1: 80 then, 79.5 now (-0.5)")


def test_another_processor_is_within_the_tolerance_or_not():
    other = PLACE.model_copy(update={"precision": "fp32"})
    near = differences(manifest(), manifest(f1=80 - TOLERANCE, weights="v", place=other), CELL)
    assert near.places == ("precision: bf16 then, fp32 now",)
    assert near.verdict.startswith("same within the tolerance between processors")
    far = manifest(f1=79.9 - TOLERANCE, weights="v", place=other)
    assert differences(manifest(), far, CELL).verdict == "differs"
    # On the same machine there is no tolerance.
    assert differences(manifest(), manifest(f1=80.1, weights="v"), CELL).verdict == "differs"


def test_answers_are_compared_by_content_not_by_time():
    later = [Response("a", answer={"x": 1}, finished="2026-11-29T10:00:00", digest="d")]
    other = [Response("a", answer={"x": 2})]
    one, two, three = (
        sample_record(SAMPLE, explanation_responses=given) for given in (ANSWERS, later, other)
    )
    assert one == two != three


def test_distance_of_answers():
    assert changed_answers(predicted(0.9, 0.4), predicted(0.7, 0.6)) == (
        "1 of 2 answers differ, probabilities by at most 0.2"
    )
    assert changed_answers(predicted(0.9), predicted(0.9, 0.4)) == "other rows are scored"
