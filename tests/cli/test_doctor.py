"""``kedro corpus doctor`` with a tiny model."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import yaml

from tests.corpora.test_validation import rows_of
from tkre.cli import doctor
from tkre.cli.doctor import Report
from tkre.core.instance import parse_tagged
from tkre.datasets.checkpoint import BackboneDataset
from tkre.generation.rejections import EXPLANATION, SYNTHESIS, Reject, Tally, yield_frame
from tkre.modeling.checkpoint import load_tokenizer
from tkre.modeling.settings import most_tokens
from tkre.modeling.weights import locate
from tkre.project.preflight import refuse_lengths
from tkre.training.trial import Effort, Machine, Trial

# A random model of two layers learns by heart too, with larger steps; its tokenizer spells most
# words out.
BACKBONES = "conf/base/catalog_knowledge_pretraining.yml"
RATES = {"learning_rate": 5e-3, "head_learning_rate": 1e-2, "batch_size": 8}
STAGE = {"epochs": 1, "optimisation": RATES}
FINETUNING = {
    "samples_per_relation": 60, "layers": [1, 2], "max_length": 256, "optimisation": RATES,
}  # fmt: skip
VARIANT = {"finetuning": FINETUNING, "pretraining": {"mslm": STAGE, "scl": STAGE}}
RECORDINGS = "data/01_raw/newsroom/recordings.jsonl"


@pytest.fixture
def examine(project, kedro):
    """The lines of the command; it must write nothing."""
    project.write(
        "conf/smoke/parameters.yml",
        {
            "generation": {"filtering": {"crossfit": {"layers": [1, 2]}}},
            "variants": {"tkre_plus": VARIANT},
        },
    )

    def run(*arguments: str, code: int = 0) -> list[str]:
        output = kedro("corpus", "doctor", "newsroom", *arguments, code=code)
        assert project.outputs() == set()
        return output.splitlines()

    return run


def about(lines: list[str], what: str) -> list[str]:
    return [line for line in lines if line[9:].startswith(f"{what}:")]


@pytest.mark.slow
def test_demo_passes_all_checks(examine):
    lines = examine()
    for what in ("corpus", "weights", "device", "memory", "disk", "lengths", "language model"):
        assert [line[:2] for line in about(lines, what)] == ["ok"], what
    [learnt] = about(lines, "learning by heart")
    assert learnt.startswith("ok       learning by heart: 30 of 30 rows")
    parts = [line.split(": ")[1] for line in about(lines, "time")]
    assert parts[:3] == ["pre-training, mslm", "pre-training, scl", "fine-tuning"]
    [llm] = about(lines, "language model")
    assert llm.endswith("99 questions, all answered in the recordings")
    assert lines[-1] == "Next: kedro run --pipelines newsroom"


def test_unusable_answers_are_reported(project, examine, monkeypatch):
    file = project.folder / RECORDINGS
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        if line["request_id"].startswith("explanation/"):
            line["response"] = {"explanation": "Because.", "triggers": []}
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(doctor, "_try_training", lambda *arguments: None)
    [line] = about(examine(), "language model")
    assert line.startswith("warning") and "0 of 88 explanations can be used" in line
    assert "(refused: empty 88)" in line and "88 of 88 sentences can be used" in line


def test_missing_recordings_have_a_remedy(project, examine, monkeypatch):
    (project.folder / RECORDINGS).unlink()
    monkeypatch.setattr(doctor, "_try_training", lambda *arguments: None)
    [line] = about(examine(code=1), "language model")
    assert line.startswith("error") and "99 questions, 99 without a recorded answer" in line
    assert "corpus questions newsroom questions.jsonl -v tkre_plus -k 8 --seed 13" in line
    assert "--annotated 0; or take" in line and "--variant spans_golden" in line


def test_variant_without_llm_outside_the_experiment(examine, monkeypatch):
    monkeypatch.setattr(doctor, "_try_training", lambda *arguments: None)
    lines = examine("--variant", "spans_golden")
    assert about(lines, "language model") == ["ok       language model: spans_golden asks none"]
    assert "add spans_golden to the variants of newsroom" in lines[-1]


def test_the_variant_of_an_experiment_without_a_language_model(project, examine, monkeypatch):
    monkeypatch.setattr(doctor, "_try_training", lambda *arguments: None)
    variants = ["typ_marker", "spans_golden"]
    project.write(
        "conf/base/experiments_newsroom.yml",
        {"newsroom": {"corpora": ["newsroom"], "variants": variants}},
    )
    lines = examine()
    assert about(lines, "language model") == ["ok       language model: spans_golden asks none"]
    assert lines[-1] == "Next: kedro run --pipelines newsroom"
    assert "99 questions" in about(examine("--variant", "tkre_plus"), "language model")[0]


def test_nothing_is_trained_on_a_corpus_with_errors(project, examine):
    project.edit("data/01_raw/newsroom/train.jsonl", "</tail>", "")
    lines = examine(code=1)
    [line] = about(lines, "corpus")
    assert line.startswith("error") and "kedro corpus validate newsroom" in line
    assert not about(lines, "learning by heart")


# The functions that print.
GIB = 2**30
MACHINE = Machine("CPU", bf16=True, threads=2, cores=4, memory_free=8 * GIB, disk_free=8 * GIB)
TRIAL = Trial(rows=20, unlearnt=(), steps=40, seconds=9.7, labelling=0.01, truncated=(), longest=31)


@pytest.fixture
def printed(capsys):
    def lines(function, *arguments) -> list[str]:
        function(*arguments, Report())
        return capsys.readouterr().out.splitlines()

    return lines


def test_machines(printed):
    assert printed(doctor.report_machine, MACHINE, 22_000_000, 3) == [
        "ok       device: CPU, bf16, 2 threads on 4 cores",
        "ok       memory: about 2.0 GiB needed, 8.0 GiB free",
        "ok       disk: about 0.2 GiB needed, 8.0 GiB free",
    ]
    small = replace(MACHINE, bf16=False, memory_free=GIB, disk_free=GIB)
    device, memory, disk = printed(doctor.report_machine, small, 350_000_000, 3)
    assert "fp32" in device
    assert memory.startswith("error") and "a smaller backbone" in memory
    assert disk.startswith("error") and "old versions" in disk


def test_text_that_the_default_backbone_does_not_know(printed, root):
    backbone = yaml.safe_load((root / BACKBONES).read_text(encoding="utf-8"))["backbones.minilm"]
    tokenizer = load_tokenizer(Path(locate(backbone["source"])))
    lines = {}
    for code in ("zh", "de"):
        file = root / f"tests/slow/languages/{code}/train.jsonl"
        rows = map(json.loads, file.read_text(encoding="utf-8").splitlines())
        texts = [parse_tagged(row["sentence"])[0] for row in rows]
        [lines[code]] = printed(doctor.report_pieces, tokenizer, texts)
    assert lines["zh"].startswith("warning") and "Take a multilingual encoder" in lines["zh"]
    assert lines["de"].startswith("ok") and " 0 of " in lines["de"]


def test_lengths_beyond_the_positions_of_a_backbone_are_refused(tiny_backbone):
    backbone = BackboneDataset(name="tiny", source=str(tiny_backbone))  # 256 positions
    catalog = {"backbones.tiny": backbone}
    for length, refused in ((256, False), (257, True)):
        settings = {"pretraining": {"mslm": {"masking": {"max_length": length}}}}
        variant = SimpleNamespace(backbone="tiny", settings=settings)
        message = "v.pretraining.mslm.masking.max_length is 257, and tiny reads at most 256 tokens"
        with pytest.raises(ValueError, match=message) if refused else nullcontext():
            refuse_lengths(variant, "v", catalog)
    assert most_tokens({"model_type": "xlm-roberta", "max_position_embeddings": 514}) == 512
    assert most_tokens({"model_type": "modernbert", "max_position_embeddings": 8192}) is None


@pytest.mark.parametrize(("cut", "level"), [(0, "ok"), (1, "note"), (4, "warning")])
def test_truncated_rows(schema, toy_rows, printed, cut, level):
    rows = rows_of(schema, train=toy_rows)
    trial = replace(TRIAL, truncated=tuple(row.id for row in toy_rows[:cut]))
    [line] = printed(doctor.report_lengths, trial, rows, 128, "mine")
    assert line.startswith(level)
    assert ("variants.mine.finetuning.max_length" in line) == (cut > 0)
    assert ("the first in train, line 1" in line) == (cut > 0)


@pytest.mark.parametrize(("wrong", "level"), [(0, "ok"), (1, "warning"), (5, "error")])
def test_rows_not_learnt(schema, toy_rows, printed, wrong, level):
    trial = replace(TRIAL, unlearnt=tuple((row, "none") for row in toy_rows[:wrong]))
    rows = rows_of(schema, train=toy_rows)
    first, *others = printed(doctor.report_trial, trial, rows)
    assert first.startswith(level) and f"{20 - wrong} of 20 rows" in first
    assert len(others) == wrong
    assert others[:1] == ["warning  train, line 1: labelled lives_in, learnt as none"][:wrong]


def test_relations_without_an_inverse(schema, printed):
    assert printed(doctor.report_inverses, schema) == []
    lives = schema.relations["lives_in"].model_copy(update={"inverse": None})
    directed = schema.model_copy(update={"relations": schema.relations | {"lives_in": lives}})
    [note] = printed(doctor.report_inverses, directed)
    assert note.startswith("note") and "lives_in have no inverse" in note


def test_time(printed):
    lines = printed(doctor.report_effort, [Effort("a", 1200, 300.0), Effort("b", 0, 0.2)])
    assert lines[0] == "ok       time: a: 1,200 steps, about 5 min"
    assert lines[1] == "ok       time: b: about 1 s"
    assert "about 5 min in all" in lines[2]


def tally(kept: int, *reasons: str) -> Tally:
    rejects = [Reject(EXPLANATION, "r", "id", reason, "detail", "text") for reason in reasons]
    return Tally(wanted=2, requested=2, answered=2, kept=kept, rejects=rejects)


def test_yield_of_answers(printed):
    explanations = {
        "a": tally(2, "too_long"), "b": tally(0, "empty", "empty"), "c": tally(1, "too_long"),
    }  # fmt: skip
    sentences = {name: tally(2) for name in explanations}
    frames = [yield_frame(EXPLANATION, explanations), yield_frame(SYNTHESIS, sentences)]
    kept = pd.concat(frames, ignore_index=True)
    [line] = printed(doctor.report_yield, "5 questions", kept)
    assert line.startswith("warning") and "the last one counts" in line
    assert "3 of 6 explanations can be used, too few of b, c (refused: too_long 2, empty 2)" in line
    assert "6 of 6 sentences can be used" in line
    enough = kept[kept["short"] == 0]
    assert printed(doctor.report_yield, "5 questions", enough) == [
        "ok       language model: 5 questions"
    ]
