"""Second runs, other processes, notebooks: what is tried nightly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pandas as pd
import pytest
from huggingface_hub import ModelCard

from tests.conftest import ROOT
from tests.notebooks import outputs_of
from tests.serving.process import Service
from tests.smoke_project import Project, newest
from tkre.evaluation.calibrator import Calibrator
from tkre.serving.extractor import RelationExtractor

pytestmark = pytest.mark.slow
VARIANTS = ["typ_marker", "tkre", "tkre_plus", "tkre_plus_annotated"]


@pytest.fixture(scope="module")
def project(tiny_backbone, tmp_path_factory) -> Project:
    """The default experiment, run once."""
    return Project.after_a_run(tmp_path_factory.mktemp("project"), tiny_backbone)


def test_two_processes_share_the_work_and_one_survives_the_other(tiny_backbone, tmp_path):
    project = Project(tmp_path, tiny_backbone)
    step = re.compile(r"\d+ of \d+: (\S+)")
    with project.started("run") as first:
        # Killed while it trains; what it has done is not done again, what it was at is.
        of_first = []
        for line in first.stdout:
            of_first += step.findall(line)
            if of_first and of_first[-1].endswith(".finetune"):
                break
        second = project.started("run")
        for line in second.stdout:
            if step.search(line):
                break
        first.kill()
    with second:
        of_second = step.findall(line + second.stdout.read())
    assert second.returncode == 0
    assert not set(of_first[:-1]) & set(of_second)
    assert len(of_second) == len(set(of_second))
    assert project.cells()["variant"].tolist() == VARIANTS


def test_a_classifier_is_published_with_a_card_of_its_use(project, tmp_path):
    folder = tmp_path / "mine"
    command = ("classifier", "publish", "newsroom.k8.s13.tkre_plus", str(folder))
    result = project.kedro(*command)
    assert result.returncode == 0, result.stdout
    assert {"README.md", "config.json", "model.safetensors", "relations.yml", "trust.json"} <= {
        file.name for file in folder.iterdir()
    }
    card = ModelCard.load(folder / "README.md")
    [f1] = [r for r in card.data.eval_results if r.metric_name.startswith("micro-F1")]
    of_cell = project.cells().set_index("variant").loc["tkre_plus"]
    assert f1.metric_value == pytest.approx(of_cell["micro_f1"], abs=0.01)
    [code] = re.findall(r"```python\n(.*?)```", card.text, re.DOTALL)
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    used = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    assert used.returncode == 0, used.stderr
    relation, probability = used.stdout.split()
    # Calibrated by the record that lies beside the weights.
    record = Calibrator.read(folder / "trust.json")
    plain = RelationExtractor.from_pretrained(folder)
    assert plain.calibrator == record and record.temperature != 1
    assert relation in plain.relations and 0 < float(probability) <= 1
    again = project.kedro(*command)
    assert again.returncode == 1 and "is not empty" in again.stdout
    missing = project.kedro("classifier", "publish", "newsroom.k8.s21.tkre", str(tmp_path / "x"))
    assert missing.returncode == 1 and "has no classifier yet" in missing.stdout


def test_a_published_classifier_is_served_with_what_its_labels_mean(project, tmp_path):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi_offline", reason="needs the extra `serve`")
    folder = tmp_path / "mine"
    assert not project.kedro(
        "classifier", "publish", "newsroom.k8.s13.tkre_plus", str(folder)
    ).returncode
    with Service.start(folder) as service:
        described = httpx.get(f"{service.url}/relations").json()
        assert all(relation["definition"] for relation in described["relations"])
        assert httpx.get(f"{service.url}/health").json()["calibrated"]


def test_a_classifier_is_served_by_the_name_of_its_cell(project):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi_offline", reason="needs the extra `serve`")
    cell = "newsroom.k8.s13.tkre_plus"
    serve = ("classifier", "serve", cell, "--port", "0", "--max-sentences", "1")
    with Service(project.started(*serve)) as service:
        described = httpx.get(f"{service.url}/relations", timeout=30).json()
        assert all(relation["definition"] for relation in described["relations"])
        assert described["entity_types"] == ["date", "organization", "person", "place", "work"]
        health = httpx.get(f"{service.url}/health", timeout=30).json()
        assert health["calibrated"] and health["wanted_precision"] is None
        sentence = "<head>Ada</head> was born in <tail>London</tail>."
        answer = httpx.post(f"{service.url}/predict", json={"sentences": [sentence]}, timeout=30)
        assert answer.status_code == 200, answer.text
        two = httpx.post(f"{service.url}/predict", json={"sentences": [sentence] * 2}, timeout=30)
        assert two.status_code == 422, two.text
        assert service.stop() == 0
    missing = project.kedro("classifier", "serve", "newsroom.k8.s21.tkre")
    assert (
        missing.returncode != 0 and "--to-outputs newsroom.k8.s21.tkre.calibrator" in missing.stdout
    )
    assert "Traceback" not in missing.stdout


def test_a_changed_parameter_is_followed_as_far_as_it_reaches(project):
    again = project.kedro(
        "run", "--pipelines", "finetuning",
        "--params", "variants.tkre.finetuning.head_dropout=0.3",
    )  # fmt: skip
    assert again.returncode == 0, again.stdout
    names = re.findall(r"\d+ of \d+: (\S+)", again.stdout)
    assert "finetuning.tkre-newsroom-k8-s13.finetune" in names
    assert all(".tkre-newsroom-k8-s13." in name for name in names)
    assert "params:variants.tkre.finetuning has changed" in re.sub(r"\s+", " ", again.stdout)


def test_inference_on_a_file_and_a_classifier_of_one_s_own(project):
    mine = project.folder / "mine.jsonl"
    mine.write_text('{"sentence": "<head>A</head> met <tail>B</tail>"}\n', encoding="utf-8")
    result = project.kedro(
        "run", "--pipelines", "inference",
        "--params", "inference.sentences=mine.jsonl,inference.classifier=newsroom.k8.s13.tkre",
    )  # fmt: skip
    assert result.returncode == 0, result.stdout
    [line] = newest(project, "07_model_output/inference/predictions.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "line-1"


def test_the_same_command_twice_gives_the_same_numbers(project):
    first = project.cells()
    result = project.kedro("run")
    assert result.returncode == 0, result.stdout
    second = project.cells()
    assert first.drop(columns="seconds").equals(second.drop(columns="seconds"))


def test_a_seed_alone_gives_what_it_gives_among_others(project):
    first = project.cells()
    project.edit("conf/base/experiments.yml", "seeds: [13]", "seeds: [13, 21]")
    result = project.kedro("run", "--namespaces", "finetuning.typ_marker-newsroom-k8-s21",
                           "--pipelines", "finetuning")  # fmt: skip
    # Seed 21 has rows to sample, but its sample has not been made: the message says by what it is.
    assert result.returncode != 0 and "data_generation" in result.stdout
    project.write("conf/smoke/experiments.yml", {
        "pair": {"corpora": ["newsroom"], "seeds": [21, 13], "variants": ["typ_marker"]}
    })  # fmt: skip
    result = project.kedro("run", "--pipelines", "pair")
    assert result.returncode == 0, result.stdout
    pair = pd.read_csv(newest(project, "08_reporting/pair/cells.csv")).set_index("seed")
    alone = first.set_index("variant").loc["typ_marker"]
    assert pair.loc[13, "micro_f1"] == alone["micro_f1"]
    assert pair.loc[13, "micro_f1"] != pair.loc[21, "micro_f1"]
    project.edit("conf/base/experiments.yml", "seeds: [13, 21]", "seeds: [13]")


def test_a_corpus_of_one_s_own_needs_a_folder_a_schema_and_one_entry(project):
    mine = project.folder / "data/01_raw/mine"
    mine.mkdir()
    (mine / "relations.yml").write_text(
        "corpus: mine\nrelations:\n"
        "  likes: {definition: The head likes the tail., phrase: likes}\n"
        "  other: {definition: Nothing of the kind., phrase: is not related to, negative: true}\n"
    )
    rows = [
        {"id": f"{r}{n}", "relation": r, "sentence": f"<head>A{n}</head> {r} <tail>b{n}</tail>"}
        for r in ("likes", "other")
        for n in range(20)
    ]
    (mine / "train.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    entry = "  mine: {format: native, train: train.jsonl}\n"
    project.edit("conf/base/parameters_corpora.yml", "corpora:\n", "corpora:\n" + entry)
    classifier = "mine.k8.s13.typ_marker.classifier"
    result = project.kedro("run", "--pipelines", "mine", "--to-outputs", classifier)
    assert result.returncode == 0, result.stdout
    assert newest(project, "06_models/mine/k8/s13/typ_marker/classifier").is_dir()
    # The whole experiment needs a language model's knowledge, and there is none of this corpus.
    whole = project.kedro("run", "--pipelines", "mine")
    assert "explanation/mine/" in whole.stdout and whole.returncode != 0


# What each of them must have shown, in whatever cell.
NOTEBOOKS = {
    "knowledge": ['class="head"', "[MASK]", "wanted", "nearest"],
    "results": ["newsroom, K = 8", "tkre_plus, seed 13", "ECE before", "&lt;head&gt;"],
    "label": ["headquartered_in", "wanted_precision", "least_sure"],
}


def test_there_is_no_notebook_that_is_not_run():
    run = {*NOTEBOOKS, "gallery"}  # the last one by test_gallery
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == run


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_on_what_a_run_left(project, monkeypatch, name):
    outputs = outputs_of(name, project, monkeypatch)
    shown = "".join(str(output.get("data", "")) for output in outputs)
    assert not [text for text in NOTEBOOKS[name] if text not in shown]
    drawn = [o["data"] for o in outputs if "image/png" in o.get("data", {})]
    assert len(drawn) == {"results": 5}.get(name, 0)


def test_a_language_model_is_a_variant_beside_its_students(tiny_backbone, tmp_path):
    project = Project(tmp_path, tiny_backbone)
    text = (tmp_path / "data/01_raw/newsroom/test.jsonl").read_text("utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    answers = [
        {"request_id": f"classification/newsroom/seed-13/{row['id']}",
         "response": {"relation": row["relation"] if n % 10 else "no_relation", "confidence": 90}}
        for n, row in enumerate(rows[:60])
    ] + [{"request_id": f"classification/newsroom/seed-13/{rows[60]['id']}",
          "response": {"relation": "<b>likes", "confidence": 90}}]  # fmt: skip
    path = tmp_path / "data/01_raw/newsroom/classifications.jsonl"
    path.write_text("".join(json.dumps(a) + "\n" for a in answers), "utf-8")
    grid = {"corpora": ["newsroom"], "variants": ["llm_in_context", "typ_marker", "tkre"]}
    project.write("conf/smoke/experiments.yml", {"compared": grid})
    result = project.kedro("run", "--pipelines", "compared")
    assert result.returncode == 0, result.stdout
    table = pd.read_csv(newest(project, "08_reporting/compared/teacher.csv")).set_index("variant")
    assert table["rows"].tolist() == [60] * 3 and table["asked"].tolist() == [61] * 3
    assert table["micro_f1"].idxmax() == "llm_in_context"
    assert table.loc["typ_marker", ["answers", "parameters"]].tolist()[0] == 0
    assert table.loc["tkre", "answers"] == 99  # 88 explanations and 11 requests for sentences
    assert table["seconds"].notna().tolist() == [False, True, True]
    cells = pd.read_csv(newest(project, "08_reporting/compared/cells.csv")).set_index("variant")
    assert cells["rows"].tolist() == [60, 330, 330]
    rejects = tmp_path / "data/07_model_output/newsroom/k8/s13/llm_in_context"
    assert "unknown_relation" in (rejects / "test_classification_rejects.csv").read_text("utf-8")
    page = newest(project, "08_reporting/compared/report.html").read_text("utf-8")
    assert "hold no time" in page and "an answer for each sentence" in page
    assert "beside the language model: newsroom, K = 8" in result.stdout
    again = project.kedro("run", "--pipelines", "compared")
    assert again.returncode == 0 and "measure_speed" not in again.stdout
    # A seed without recorded answers is refused before anything is trained.
    refused = project.kedro("run", "--pipelines", "compared", "--params",
                            "experiments.compared.seeds=[21]")  # fmt: skip
    assert refused.returncode != 0 and "classification/newsroom/seed-21/" in refused.stdout


def test_setfit_is_scored_like_any_variant(tiny_backbone, tmp_path):
    pytest.importorskip("setfit", reason="needs the extra `baselines`")
    project = Project(tmp_path, tiny_backbone)
    grid = {"corpora": ["newsroom"], "variants": ["typ_marker", "setfit"]}
    project.write("conf/smoke/experiments.yml", {"compared": grid})
    result = project.kedro("run", "--pipelines", "compared")
    assert result.returncode == 0, result.stdout
    assert "WARNING" not in result.stdout and "Warning" not in result.stdout
    table = pd.read_csv(newest(project, "08_reporting/compared/cells.csv"))
    assert table["variant"].tolist() == ["typ_marker", "setfit"]
    assert (table["seconds"] > 0).all()
    outputs = "07_model_output/newsroom/k8/s13/setfit/{}_predictions.parquet"
    for rows, size in (("test", 330), ("validation", 88)):
        frame = pd.read_parquet(newest(project, outputs.format(rows)))
        probabilities = frame.filter(like="p.")
        assert probabilities.shape == (size, 11)
        assert probabilities.sum(axis=1).to_numpy() == pytest.approx(1)
        assert frame["predicted"].tolist() == [
            name.removeprefix("p.") for name in probabilities.idxmax(axis=1)
        ]
