"""Whole runs through the command line, on the demo corpus, with tiny models."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.project import Project

STAGES = ["data_generation", "knowledge_pretraining", "finetuning", "reporting"]
VARIANTS = ["typ_marker", "tkre", "tkre_plus"]


@pytest.fixture(scope="module")
def project(tiny_backbone, tmp_path_factory) -> Project:
    """The default experiment, run stage by stage, each in a process of its own."""
    project = Project(tmp_path_factory.mktemp("project"), tiny_backbone)
    project.printed = {}
    for stage in STAGES:
        result = project.kedro("run", "--pipelines", stage)
        assert result.returncode == 0, result.stdout
        project.printed[stage] = result.stdout
    return project


def newest(project: Project, file: str) -> Path:
    """The newest version of an output."""
    return sorted((project.folder / "data" / file).glob(f"*/{Path(file).name}"))[-1]


def cells(project: Project) -> pd.DataFrame:
    return pd.read_csv(newest(project, "08_reporting/demo/cells.csv"))


def test_the_report_has_a_row_per_cell_and_one_per_metric(project):
    table = cells(project)
    assert table["variant"].tolist() == VARIANTS
    assert list(table)[:9] == ["corpus", "shots", "seed", "variant", "micro_precision",
                               "micro_recall", "micro_f1", "official_f1", "seconds"]  # fmt: skip
    summary = pd.read_csv(newest(project, "08_reporting/demo/summary.csv"))
    assert len(summary) == 3 * 4
    assert {"corpus", "shots", "variant", "metric", "mean", "std"} <= set(summary)
    differing = summary[summary["difference"].notna()]
    assert set(differing["variant"]) == {"tkre", "tkre_plus"}


def test_the_last_lines_say_what_was_found_and_where_it_lies(project):
    printed = project.printed["reporting"]
    end = printed[printed.index("demo: newsroom, K = 8") :]
    for variant, score in cells(project)[["variant", "micro_f1"]].to_numpy():
        assert re.search(rf"{variant} +{score:.1f} ", end)
    for file in re.findall(r"data/08_reporting\S+", end):
        assert (project.folder / file).is_file()
    assert "summary.csv" in end and "f1_by_variant.html" in end


def test_a_normal_run_has_no_warnings_and_leaves_no_stray_files(project):
    for printed in project.printed.values():
        assert "WARNING" not in printed and "Warning" not in printed
    assert {p.name for p in project.folder.iterdir()} <= {
        "pyproject.toml", "conf", "src", "data", ".viz",
    }  # fmt: skip
    assert (project.folder / "data/08_reporting/tkre.log").is_file()


def test_every_test_row_has_a_label_and_probabilities(project):
    frame = pd.read_parquet(
        newest(project, "07_model_output/newsroom/k8/s13/tkre_plus/test_predictions.parquet")
    )
    assert len(frame) == 330
    probabilities = frame.filter(like="p.")
    assert probabilities.shape[1] == 11
    assert probabilities.sum(axis=1).to_numpy() == pytest.approx(1)
    # tkre_plus predicts a relation only if it is likely enough.
    sure = probabilities.max(axis=1) >= 0.6
    likeliest = probabilities.idxmax(axis=1).str.removeprefix("p.")
    assert frame["predicted"].equals(likeliest.where(sure, "no_relation"))
    own = [row[f"p.{row['predicted']}"] for row in frame.to_dict("records")]
    assert frame["probability"].tolist() == own


def test_the_encoder_s_lineage_is_one_chain(project):
    lineage = json.loads(
        newest(project, "07_model_output/newsroom/k8/s13/tkre/lineage.json").read_text()
    )
    stages = [step["stage"] for step in lineage["steps"]]
    assert stages == ["mslm", "scl", "finetuning"]
    weights = lineage["origin"]
    for step in lineage["steps"]:
        assert step["started_from"] == weights
        weights = step["weights"]


def test_losses_of_every_step_are_a_table(project):
    losses = pd.read_csv(newest(project, "07_model_output/newsroom/k8/s13/tkre/scl_losses.csv"))
    assert {"epoch", "step", "loss", "mslm", "scl"} <= set(losses)
    assert len(losses) > 2 and losses.notna().all().all()


def test_the_yield_accounts_for_everything(project):
    table = pd.read_csv(newest(project, "04_feature/newsroom/k8/s13/yield.csv"))
    assert len(table) == 22
    assert (table["answered"] == table["kept"] + table["surplus"] + table["rejected"]).all()
    assert (table["short"] == table["wanted"] - table["kept"]).all()
    rejects = pd.read_csv(newest(project, "04_feature/newsroom/k8/s13/rejects.csv"))
    assert len(rejects) == table["rejected"].sum()


def test_inference_labels_a_file_with_the_newest_classifier(project):
    result = project.kedro("run", "--pipelines", "inference")
    assert result.returncode == 0, result.stdout
    assert "predictions.jsonl" in result.stdout.splitlines()[-1]
    lines = newest(project, "07_model_output/inference/predictions.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert len(lines) == 6
    assert first["sentence"].startswith("<head>Ingrid Solheim</head>")
    assert first["probability"] == max(v for k, v in first.items() if k.startswith("p."))


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
    first = cells(project)
    result = project.kedro("run")
    assert result.returncode == 0, result.stdout
    second = cells(project)
    assert first.drop(columns="seconds").equals(second.drop(columns="seconds"))


def test_a_seed_alone_gives_what_it_gives_among_others(project):
    first = cells(project)
    project.edit("conf/base/experiments.yml", "seeds: [13]", "seeds: [13, 21]")
    result = project.kedro("run", "--namespaces", "newsroom.k8.s21.typ_marker",
                           "--pipelines", "finetuning")  # fmt: skip
    # Seed 21 has rows to draw, but its draw has not been made: the message says by what it is.
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


def test_the_notebook_runs_on_what_a_run_left(project, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "notebooks/results.ipynb", as_version=4)
    monkeypatch.setenv("KEDRO_ENV", "smoke")
    monkeypatch.setenv("TKRE_DATA", "data/01_raw")
    client = nbclient.NotebookClient(notebook, resources={"metadata": {"path": project.folder}})
    client.execute()
    extraction = notebook.cells[-1].outputs[-1]
    assert "probability" in extraction["data"]["text/plain"]
