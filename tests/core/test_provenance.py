from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version

import pandas as pd
import pytest

from tkre.core import provenance as module
from tkre.core.provenance import (
    Environment,
    Lineage,
    LineageError,
    Step,
    digest_of,
    environment,
    frame_digest,
    seconds_of,
    versions,
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


@pytest.fixture(autouse=True)
def fresh():
    module._revision.cache_clear()
    yield
    module._revision.cache_clear()


def test_versions_are_those_that_are_installed():
    assert versions(["numpy", "not-a-package"]) == {"numpy": version("numpy")}


def test_an_environment_is_of_now_and_can_be_saved():
    found = environment("cpu", 1, "bf16")
    age = datetime.now(UTC) - datetime.fromisoformat(found.finished)
    assert 0 <= age.total_seconds() < 60
    assert (found.device, found.threads, found.precision) == ("cpu", 1, "bf16")
    assert found.libraries["pandas"] == version("pandas") and found.processor
    assert Environment.model_validate_json(found.model_dump_json()) == found


def git(folder, *arguments: str) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_the_revision_is_that_of_the_repository_and_changes_are_seen(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-q", "-m", "one")
    head = git(tmp_path, "rev-parse", "HEAD")
    assert module._revision(tmp_path) == (head, False)
    (tmp_path / "file").write_text("two")
    assert module._revision(tmp_path) == (head, False)  # what runs is what was there at first
    module._revision.cache_clear()
    assert module._revision(tmp_path) == (head, True)


def test_without_a_repository_or_git_there_is_no_revision(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert module._revision(tmp_path) == (None, None)
    module._revision.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert module._revision(tmp_path) == (None, None)


def test_no_library_is_imported_for_it():
    code = (
        "import sys; from tkre.core.provenance import environment; environment(); "
        "found = {'torch', 'pandas', 'transformers'} & set(sys.modules); assert not found, found"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
