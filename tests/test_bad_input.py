"""Each kind of bad input: a clear message before anything is trained, and nothing written."""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec

import pytest

from tests.generation.chat_server import ChatServer, Reply
from tests.smoke_project import Project

TRAIN = "data/01_raw/newsroom/train.jsonl"
RELATIONS = "data/01_raw/newsroom/relations.yml"
RECORDINGS = "data/01_raw/newsroom/recordings.jsonl"


@pytest.fixture
def project(tiny_backbone, tmp_path) -> Project:
    return Project(tmp_path, tiny_backbone)


def test_an_unknown_relation(project):
    project.edit(TRAIN, '"relation": "born_in"', '"relation": "borm_in"')
    message = project.refusal()
    assert "newsroom/train.jsonl, line " in message
    assert "relation 'borm_in' is not in relations.yml (did you mean 'born_in'?)" in message


def test_a_missing_tail_tag(project):
    project.edit(TRAIN, "</tail>", "")
    assert "train.jsonl, line 1: tag </tail> is missing" in project.refusal()


def test_a_type_outside_the_schema(project):
    project.edit(TRAIN, '"head_type": "person"', '"head_type": "persona"')
    assert "head_type 'persona' is not one of the entity types" in project.refusal()


def test_a_type_that_the_relation_does_not_allow(project):
    project.edit(TRAIN, '"head_type": "person"', '"head_type": "date"')
    assert "relations.yml does not allow" in project.refusal()


def test_an_empty_support_relation(project):
    added = "  sibling_of: {definition: Siblings., phrase: is a sibling of}\n"
    project.edit(RELATIONS, "  no_relation:", added + "  no_relation:")
    assert "relation 'sibling_of' of corpus newsroom has no training row" in project.refusal()


def test_a_test_sentence_in_the_support_set(project):
    path = project.folder / TRAIN
    rows = path.read_text(encoding="utf-8").splitlines()
    recordings = (project.folder / RECORDINGS).read_text(encoding="utf-8").splitlines()
    known = {json.loads(line)["request_id"].rsplit("/", 1)[-1] for line in recordings}
    row = next(r for r in map(json.loads, rows) if r["id"] in known)
    test = project.folder / "data/01_raw/newsroom/test.jsonl"
    leaked = json.dumps(row | {"id": "test-leaked"}, ensure_ascii=False)
    test.write_text(test.read_text(encoding="utf-8") + leaked + "\n", encoding="utf-8")
    message = project.refusal()
    assert "1 test instance(s) are in the support set" in message
    assert f"{row['id']} = test-leaked" in message


def test_a_missing_recording(project):
    path = project.folder / RECORDINGS
    lines = path.read_text(encoding="utf-8").splitlines()
    dropped = json.loads(lines[3])["request_id"]
    path.write_text("\n".join(lines[:3] + lines[4:]) + "\n", encoding="utf-8")
    message = project.refusal()
    assert f"not in the store: {dropped}" in message and "recordings.jsonl" in message


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            "variants.tkre.finetuning.samples_per_relatio=3",
            "(did you mean 'samples_per_relation'?)",
        ),
        ("bogus=1", "bogus: there is no such entry"),
        (
            "variants.tkre.finetuning.samples_per_relation=-1",
            "greater than or equal to 0 (it is -1) (and so in",
        ),
        ("generation.language_model.backend=oracle", "generation.language_model"),
    ],
)
def test_a_parameter_that_does_not_exist_or_cannot_be(project, params, message):
    assert message in project.refusal(params=params)


def test_weights_whose_digest_is_wrong(project):
    project.edit("conf/smoke/catalog.yml", "  type:", "  sha256: '00'\n  type:")
    message = project.refusal()
    assert "model.safetensors has the SHA-256" in message and "not 00" in message


def test_a_missing_corpus_file(project):
    (project.folder / "data/01_raw/newsroom/test.jsonl").unlink()
    assert "file 'test.jsonl' is missing" in project.refusal()


def test_a_stage_before_its_inputs(project):
    message = project.refusal("finetuning")
    assert "scl_encoder: made by the pipeline knowledge_pretraining" in message


def test_a_bad_line_among_the_sentences_to_label(project):
    project.edit("data/01_raw/inference/sentences.jsonl", "</tail>", "")
    message = project.refusal("inference")
    assert "classifier: made by the pipeline finetuning" in message


def test_what_is_labelled_and_with_what_is_looked_up_first(project):
    scored = "newsroom.k16.s13.spans_golden"
    project.write(
        "conf/smoke/experiments.yml",
        {"golden": {"corpora": ["newsroom"], "shots": 16, "variants": ["spans_golden"]}},
    )
    given = f"inference.classifier={scored},inference.sentences=data/rw.jsonl"
    message = project.refusal("inference", params=given)
    # The stage finetuning is the demo's: it would train another classifier.
    assert f"{scored}.classifier: made by the pipeline golden; run that first" in message
    assert "inference.sentences: there is no" in message and "data/rw.jsonl" in message
    misspelt = "inference.classifier=newsroom.k8.s13.tkre_pls"
    message = project.refusal("inference", params=misspelt)
    assert "there is no variant 'tkre_pls' (did you mean 'tkre_plus'?)" in message


def test_a_prompt_with_an_unknown_placeholder(project):
    project.edit("conf/base/prompts/explanation.txt", "$definition", "$meaning")
    assert "prompt explanation.txt asks for $meaning" in project.refusal()


LIVE = "generation.language_model.backend={},generation.language_model.model={}{}"


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (LIVE.format("openai", "m", ""), "wants a key: set OPENAI_API_KEY"),
        (LIVE.format("transformers", "./nothing", ""), "no folder with a config.json"),
        (LIVE.format("transformers", "m", ",generation.language_model.bach_size=2"), "bach_size"),
        (LIVE.format("openai", "m", ",generation.language_model.base_url=h"), "base_url must be"),
        (LIVE.format("replay", "somebody", ",generation.language_model.strict=true"),
         "response(s) of 'somebody' are missing"),
    ],
)  # fmt: skip
def test_a_language_model_that_cannot_be_used(project, params, message, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert message in project.refusal(params=params)


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_a_backend_that_is_not_installed(project):
    message = project.refusal(params=LIVE.format("vllm", "m", ""))
    assert "needs the package vllm" in message and "pip install '.[vllm]'" in message


def test_a_baseline_that_is_not_installed(project, monkeypatch):
    grid = {"corpora": ["newsroom"], "variants": ["setfit"]}
    project.write("conf/smoke/experiments.yml", {"compared": grid})
    monkeypatch.setitem(sys.modules, "setfit", None)
    message = project.refusal("compared")
    assert "needs the package setfit" in message and "'.[baselines]'" in message


def test_a_prompt_with_an_unknown_placeholder_under_a_live_model(project, tiny_llama):
    project.edit("conf/base/prompts/synthesis.txt", "$definition", "$meaning")
    params = LIVE.format("transformers", tiny_llama, "")
    assert "prompt synthesis.txt asks for $meaning" in project.refusal(params=params)


def test_a_server_that_refuses_the_key_ends_the_run_with_its_message(project):
    refusal = Reply("Incorrect API key", status=401)
    with ChatServer(lambda body, tries: refusal) as server:
        params = LIVE.format("openai", "m", f",generation.language_model.base_url={server.url}")
        message = project.failure("data_generation", params=params)
    assert "refuses 'm'" in message and "Incorrect API key" in message
