"""``kedro corpus doctor``, as it is typed, with a tiny model."""

from __future__ import annotations

import json

import pytest

from tests.smoke_project import Project


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    project = Project(tmp_path, tiny_backbone)
    # A random model of two layers learns by heart too, with larger steps.
    rates = {"learning_rate": 5e-3, "head_learning_rate": 1e-2, "batch_size": 8}
    # Its tokenizer spells most words out.
    finetuning = {
        "samples_per_relation": 60, "layers": [1, 2], "max_length": 256, "optimisation": rates,
    }  # fmt: skip
    stage = {"epochs": 1, "optimisation": rates}
    pretraining = {"mslm": stage, "scl": stage}
    project.write(
        "conf/smoke/parameters.yml",
        {
            "generation": {"filtering": {"crossfit": {"layers": [1, 2]}}},
            "variants": {"tkre_plus": {"finetuning": finetuning, "pretraining": pretraining}},
        },
    )
    return project


def examine(project: Project, *arguments: str, code: int) -> list[str]:
    result = project.kedro("corpus", "doctor", "newsroom", *arguments)
    assert result.returncode == code, result.stdout
    assert "Traceback" not in result.stdout
    assert project.outputs() == set()
    return result.stdout.splitlines()


def looked_at(lines: list[str], what: str) -> list[str]:
    return [line for line in lines if line[9:].startswith(f"{what}:")]


def test_all_is_well_with_the_demo(project):
    lines = examine(project, code=0)
    for what in ("corpus", "weights", "device", "memory", "disk", "lengths", "language model"):
        assert [line[:2] for line in looked_at(lines, what)] == ["ok"], what
    [learnt] = looked_at(lines, "learning by heart")
    assert learnt.startswith("ok       learning by heart: 30 of 30 rows")
    parts = [line.split(": ")[1] for line in looked_at(lines, "time")]
    assert parts[:3] == ["pre-training, mslm", "pre-training, scl", "fine-tuning"]
    assert looked_at(lines, "language model")[0].endswith("99 questions, all answered in the "
                                                          "recordings")  # fmt: skip
    assert lines[-1] == "Next: kedro run --pipelines newsroom"


def test_answers_that_are_of_no_use_are_told_before_anything_is_trained(project):
    file = project.folder / "data/01_raw/newsroom/recordings.jsonl"
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["request_id"].startswith("explanation/"):
            line["response"] = {"explanation": "Because.", "triggers": []}
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    said = examine(project, code=0)
    [line] = looked_at(said, "language model")
    assert line.startswith("warning") and "0 of 88 explanations can be used" in line
    assert "(refused: empty 88)" in line and "88 of 88 sentences can be used" in line
    [learnt] = looked_at(said, "learning by heart")
    assert said.index(line) < said.index(learnt)


def test_without_recordings_it_says_what_can_be_done(project):
    (project.folder / "data/01_raw/newsroom/recordings.jsonl").unlink()
    [line] = looked_at(examine(project, code=1), "language model")
    assert line.startswith("error") and "99 questions, 99 without a recorded answer" in line
    assert "kedro corpus questions newsroom" in line and "--variant spans_golden" in line


def test_variants_that_ask_nobody_and_that_are_not_in_the_experiment(project):
    lines = examine(project, "--variant", "spans_golden", code=0)
    assert looked_at(lines, "language model") == ["ok       language model: spans_golden asks none"]
    assert "add spans_golden to the variants of newsroom" in lines[-1]


def test_nothing_is_trained_on_a_corpus_with_errors(project):
    project.edit("data/01_raw/newsroom/train.jsonl", "</tail>", "")
    lines = examine(project, code=1)
    [line] = looked_at(lines, "corpus")
    assert line.startswith("error") and "kedro corpus validate newsroom" in line
    assert not looked_at(lines, "learning by heart")
