from __future__ import annotations

import pandas as pd
import pytest

from tkre.core.provenance import (
    Lineage,
    LineageError,
    Step,
    digest_of,
    environment,
    frame_digest,
    seconds_of,
)


def step(stage, start, end, data="texts"):
    return Step(
        stage=stage, started_from=start, weights=end, data=data, settings={"a": 1}, seconds=2.0
    )


CHAIN = (
    Lineage(backbone="b", origin="w0").then(step("mslm", "w0", "w1")).then(step("scl", "w1", "w2"))
)


def test_a_chain_of_stages():
    assert CHAIN.weights == "w2"
    assert CHAIN.seconds == 4
    assert Lineage.model_validate_json(CHAIN.model_dump_json()) == CHAIN


def test_a_stage_that_started_elsewhere_is_refused():
    """The released TKRE code starts its second stage from stock weights: that cannot pass here."""
    with pytest.raises(LineageError, match=r"stage scl started from weights w0.*not from w1"):
        Lineage(backbone="b", origin="w0").then(step("mslm", "w0", "w1")).then(
            step("scl", "w0", "w2")
        )


def test_a_cell_takes_its_own_encoder_only():
    stages = {step.stage: step.settings for step in CHAIN.steps}
    data = {"mslm": "texts", "scl": "texts", "pairs": "of no matter"}
    CHAIN.require(origin="w0", stages=stages, data=data)
    for wrong, problem in (
        ({"origin": "x"}, "backbone is w0, the cell's is x"),
        ({"stages": {"mslm": stages["mslm"]}}, "stages is"),
        ({"stages": stages | {"scl": {"epochs": 9}}}, "settings is"),
        ({"data": data | {"scl": "other"}}, "knowledge is"),
    ):
        with pytest.raises(LineageError, match=problem):
            CHAIN.require(**{"origin": "w0", "stages": stages, "data": data, **wrong})


def test_the_digest_of_a_frame_survives_its_file(tmp_path):
    frame = pd.DataFrame({"id": ["1"], "spans": [[[0, 3]]], "text": ["Ærø"], "none": [None]})
    frame.to_parquet(tmp_path / "f.parquet")
    again = pd.read_parquet(tmp_path / "f.parquet")
    assert frame_digest(frame) == frame_digest(again)
    assert frame_digest(frame) != frame_digest(frame.assign(text="other"))
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_where_a_step_was_made_is_recorded_and_compared_with_nothing():
    there = CHAIN.steps[-1].model_copy(update={"environment": environment("cpu", 1, "fp32")})
    chain = CHAIN.model_copy(update={"steps": (*CHAIN.steps[:-1], there)})
    assert Lineage.model_validate_json(chain.model_dump_json()) == chain
    stages = {"mslm": {"a": 1}, "scl": {"a": 1}}
    chain.require(origin="w0", stages=stages, data=dict.fromkeys(stages, "texts"))


def test_records_from_before_environments_still_load():
    old = CHAIN.model_dump(mode="json")
    for made in old["steps"]:
        del made["environment"]
    assert Lineage.model_validate(old) == CHAIN


def test_steps_that_lineages_share_count_once():
    other = CHAIN.then(step("finetuning", "w2", "w3"))
    assert seconds_of([CHAIN, other, CHAIN]) == 6
    assert seconds_of([]) == 0
