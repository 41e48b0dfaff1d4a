"""The examples of docs/extending.md, installed as a package and run as they stand there."""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
import yaml

from tests.conftest import ROOT
from tests.docs.markdown import blocks
from tests.smoke_project import Project
from tkre.core import params as registry
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusError, read_corpus
from tkre.evaluation.metrics import ScoredRows
from tkre.generation.llm.protocol import LanguageModelError, Request, Sampling
from tkre.generation.llm.registry import LanguageModels
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import GenerationParams
from tkre.modeling.encodings import ENCODINGS
from tkre.modeling.heads import MarkedHead
from tkre.modeling.params import HEADS, ContrastParams

BLOCKS = blocks(ROOT / "docs/extending.md")
SCHEMA = {
    "type": "object",
    "properties": {"explanation": {"type": "string"}},
    "required": ["explanation"],
}
REQUEST = Request("explanation/toy/a", ({"role": "user", "content": "Why?"},), SCHEMA, Sampling())


def entries(title: str, key: str | None = None) -> dict[str, object]:
    """What the page puts into a file of ``conf/``."""
    found: dict[str, object] = {}
    for block in BLOCKS:
        if block.title == title:
            content = yaml.safe_load(block.code)
            found |= content[key] if key else content
    assert found
    return found


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    """A folder into which pip has installed the package of the page."""
    source, target = tmp_path_factory.mktemp("my-parts"), tmp_path_factory.mktemp("installed")
    (source / "my_parts").mkdir()
    (source / "my_parts/__init__.py").touch()
    for block in BLOCKS:
        if block.language in {"python", "toml"}:
            (source / block.title).write_text(block.code, encoding="utf-8")
    pip = [
        sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation",
        "--no-index", "--disable-pip-version-check", "--target", str(target), str(source),
    ]  # fmt: skip
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


@pytest.fixture
def my_parts(package, monkeypatch):
    """Modules of the package, where it is installed."""
    monkeypatch.syspath_prepend(str(package))
    registry._installed.cache_clear()
    yield lambda module: importlib.import_module(f"my_parts.{module}")
    registry._installed.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "my_parts"]:
        del sys.modules[name]


def as_csv(lines: str) -> str:
    """A native file as the CSV of the page's reader."""
    text = io.StringIO(newline="")
    columns = ["id", "sentence", "relation", "head_type", "tail_type"]
    llm = csv.DictWriter(text, columns, extrasaction="ignore")
    llm.writeheader()
    llm.writerows(json.loads(line) for line in lines.splitlines())
    return text.getvalue()


def test_the_reader_reads_what_the_native_one_does(my_parts, newsroom, newsroom_schema):
    native = (newsroom / "test.jsonl").read_text(encoding="utf-8")
    corpus = entries("conf/base/parameters_corpora.yml", "corpora")["my_relations"]
    params = CorpusParams.model_validate(corpus | {"test": None})
    own = CorpusParams(format="native", train="train.jsonl")
    files = {"train.jsonl": native, "train.csv": as_csv(native)}
    read, expected = (
        read_corpus(files.__getitem__, newsroom_schema, p).splits["train"] for p in (params, own)
    )
    assert len(read) > 100
    assert [(r.id, r.text, r.head, r.tail, r.relation, r.head_type) for r in read] == [
        (r.id, r.text, r.head, r.tail, r.relation, r.head_type) for r in expected
    ]


def test_the_reader_says_where_a_row_is_bad(my_parts, newsroom_schema):
    text = "id,sentence,relation\n1,no tags,born_in\n2,,born_in\n"
    params = CorpusParams(format="csv", train="train.csv")
    with pytest.raises(CorpusError) as refused:
        read_corpus({"train.csv": text}.__getitem__, newsroom_schema, params)
    message = str(refused.value)
    assert "train.csv, line 2: " in message
    assert "train.csv, line 3: nothing in the column(s) sentence" in message


def test_the_loss_wants_a_positive_that_is_nearer_by_the_margin(my_parts):
    tau, margin = 0.5, 0.25
    params = ContrastParams(loss="margin", options={"margin": margin}, temperature=tau)
    loss = my_parts("losses").MarginContrast(torch.randn(2, 4), torch.zeros(2).bool(), params)
    own = super(type(loss), loss).losses
    positive, negatives = torch.tensor([1.0, 2.0]), torch.tensor([[0.5, -torch.inf], [1.0, 3.0]])
    assert torch.equal(loss.losses(positive, negatives), own(positive - margin / tau, negatives))
    assert (loss.losses(positive, negatives) > own(positive, negatives)).all()


@pytest.fixture
def language_model(my_parts, root):
    """The model of the page's settings, with a program of the test's."""
    file = root / "conf/base/parameters_data_generation.yml"
    shipped = yaml.safe_load(file.read_text(encoding="utf-8"))["generation"]
    own = entries("conf/base/parameters_data_generation.yml", "generation")["language_model"]
    assert own["command"] == ["my-program", "--quiet"]

    def made(program: str, **settings: object):
        command = [sys.executable, "-c", program]
        settings = own | {"command": command} | settings
        return GenerationParams.model_validate(shipped | {"language_model": settings})

    return made


def test_the_language_model_answers_and_is_asked_once(language_model, tmp_path):
    params = language_model(
        "import sys; q = sys.stdin.read(); print('Well: {\"explanation\": \"to ' + q + '\"}')"
    ).language_model
    store = ResponseStore(tmp_path / "responses.jsonl")
    model = LanguageModels().answering(params, ResponseStore(), store)
    [answer] = model.generate([REQUEST])
    assert answer.answer == {"explanation": "to Why?"}
    assert answer.model == "my-model" and answer.source == f"command {sys.executable}"
    later = ResponseStore(store.path)
    assert LanguageModels().answering(params, ResponseStore(), later).holds(REQUEST)


@pytest.mark.parametrize(
    ("program", "reason"),
    [("print('no')", "not_json"), ("raise SystemExit('broken')", "server_error"),
     ("import time; time.sleep(60)", "timed_out")],
)  # fmt: skip
def test_what_the_program_does_wrong_is_a_reason(language_model, program, reason):
    params = language_model(program, timeout=2.0 if reason == "timed_out" else 120.0)
    [answer] = LanguageModels().live(params.language_model).generate([REQUEST])
    assert answer.reason == reason


def test_a_program_that_is_not_there_is_found_out_at_once(language_model):
    params = language_model("", command=["no-such-program"]).language_model
    with pytest.raises(LanguageModelError, match="there is no program 'no-such-program'"):
        LanguageModels().live(params).check()


def test_the_head_s_sentences_are_encoded_without_it(my_parts):
    assert ENCODINGS["pair"] is ENCODINGS["markers"]
    assert issubclass(HEADS["pair"], MarkedHead)
    assert "encode" not in vars(HEADS["pair"])


def test_the_score_leaves_out_the_negative_relation(my_parts):
    score = my_parts("scores").macro_f1.function
    rows = ScoredRows(["a", "a", "b", "no"], ["a", "b", "b", "no"], "no")
    assert score(rows) == pytest.approx(200 / 3)
    assert score(ScoredRows(["no"], ["a"], "no")) == 0.0


@pytest.fixture(scope="module")
def project(package, tiny_backbone, tmp_path_factory, newsroom) -> Project:
    """The page's experiment, run on the demo corpus as CSV, where the package is installed."""
    project = Project(tmp_path_factory.mktemp("project"), tiny_backbone)
    corpus = {"format": "csv"}
    for split in ("train", "dev", "test"):
        native = (newsroom / f"{split}.jsonl").read_text(encoding="utf-8")
        target = project.folder / f"data/01_raw/newsroom/{split}.csv"
        target.write_text(as_csv(native), encoding="utf-8", newline="")
        corpus[split] = target.name
    variants = entries("conf/base/parameters_variants.yml", "variants")
    project.write("conf/smoke/parameters_csv.yml", {"corpora": {"newsroom": corpus}})
    project.write("conf/smoke/parameters_own.yml", {"variants": variants})
    experiment = entries("conf/base/experiments.yml")["my_parts"]
    project.write("conf/smoke/experiments.yml", {"my_parts": experiment})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(package), *filter(None, sys.path)]))
        done = project.kedro("run", "--pipelines", "my_parts")
        assert done.returncode == 0, done.stdout[-3000:]
        yield project


def read_table(project: Project, table: str) -> pd.DataFrame:
    [file] = (project.folder / f"data/08_reporting/my_parts/{table}").glob(f"*/{table}")
    return pd.read_csv(file)


def classifier(project: Project, variant: str) -> Path:
    versions = project.folder / f"data/06_models/newsroom/k8/s13/{variant}/classifier"
    [folder] = versions.glob("*/classifier")
    return folder


@pytest.mark.slow
def test_a_run_with_all_of_them_reports_the_score(project):
    cells = read_table(project, "cells.csv").set_index("variant")
    assert set(cells.index) == {"tkre", "tkre_pair", "tkre_margin"}
    assert cells["macro_f1"].between(0, 100).all()
    assert "macro_f1" in set(read_table(project, "summary.csv")["metric"])


@pytest.mark.slow
def test_a_classifier_with_the_head_is_loaded_without_the_project(project, tmp_path):
    folder = classifier(project, "tkre_pair")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert (config["head"], config["options"]) == ("pair", {"width": 128})
    code = (
        "import sys; from tkre.serving.extractor import RelationExtractor as E; e = E.from_pretrained("
        "sys.argv[1]); print(e(['<head>Ada</head> was in <tail>London</tail>.'])[0].relation)"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(folder)]
    done = subprocess.run(command, text=True, capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in config["label2id"]


@pytest.mark.slow
def test_the_other_loss_has_trained_its_encoder_and_a_second_run_does_nothing(project):
    file = classifier(project, "tkre_margin") / "lineage.json"
    stages = {s["stage"]: s["settings"] for s in json.loads(file.read_text())["steps"]}
    assert stages["scl"]["contrast"]["loss"] == "margin"
    again = project.kedro("run", "--pipelines", "my_parts")
    total = re.search(r"(\d+) of (\d+) nodes were up to date", again.stdout)
    assert total and total[1] == total[2]


@pytest.mark.slow
def test_the_runner_runs_nothing_and_says_what_would_be_run(project):
    before = project.outputs()
    runner = ("--runner", "my_parts.runners.ListRunner")
    listed = project.kedro("run", *runner, "--pipelines", "data_generation")
    assert "data_generation.newsroom-k8-s13.explain: " in listed.stdout
    assert project.outputs() == before
