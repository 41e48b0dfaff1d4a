"""Whole runs through the command line, on the demo corpus, with tiny models."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from huggingface_hub import ModelCard

from tests.conftest import ROOT
from tests.serving.process import Service
from tests.smoke_project import Project
from tkre.evaluation.calibrator import Calibrator
from tkre.serving.extractor import RelationExtractor

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
    assert list(table)[:9] == ["corpus", "shots", "synthetic", "noise", "filtered", "llm",
                               "seed", "variant", "micro_precision"]  # fmt: skip
    # The baseline uses no synthetic sentence, and nothing else of a language model.
    assert table["synthetic"].tolist() == [0, 1, 1]
    assert table["llm"].tolist() == ["none", "default", "default"]
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
    assert end.rstrip().splitlines()[-1].endswith("report.html")


def test_a_normal_run_has_no_warnings_and_leaves_no_stray_files(project):
    for printed in project.printed.values():
        assert "WARNING" not in printed and "Warning" not in printed
    assert {p.name for p in project.folder.iterdir()} <= {
        "pyproject.toml", "conf", "src", "data", ".viz",
    }  # fmt: skip
    assert (project.folder / "data/08_reporting/tkre.log").is_file()


def test_a_second_run_does_nothing(project):
    before = {
        file: (project.folder / "data" / file).stat().st_mtime_ns for file in project.outputs()
    }
    again = project.kedro("run", "--pipelines", ",".join(reversed(STAGES)))
    assert again.returncode == 0, again.stdout
    assert not re.search(r"\d+ of \d+: ", again.stdout)
    assert re.search(r"(\d+) of \1 nodes were up to date", again.stdout)
    for file, time in before.items():
        assert (project.folder / "data" / file).stat().st_mtime_ns == time, file
    assert set(before) == project.outputs()
    assert "demo: newsroom, K = 8" in again.stdout  # and still says what was found


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
    assert cells(project)["variant"].tolist() == VARIANTS


def test_a_classifier_is_exported_by_the_name_of_its_cell(project, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    result = project.kedro("classifier", "export", "newsroom.k8.s13.tkre_plus", str(tmp_path))
    assert result.returncode == 0, result.stdout
    sentence = "<head>Ada</head> was born in <tail>London</tail>."
    folder = project.folder / "data/06_models/newsroom/k8/s13/tkre_plus/classifier"
    [one], [other] = (RelationExtractor.from_pretrained(f)([sentence]) for f in (tmp_path, folder))
    # Calibrated by the record beside the one; the other's lies elsewhere.
    assert one.probability != other.probability
    exported = RelationExtractor.from_pretrained(tmp_path)
    assert exported.schema.relations["born_in"].definition
    [plain] = RelationExtractor.from_pretrained(tmp_path, calibrator=False)([sentence])
    assert plain.probability == pytest.approx(other.probability, abs=1e-4)
    rows = [{"sentence": sentence}, {"sentence": "no mention"}]
    source, target = tmp_path / "to_label", tmp_path / "labels"
    source.mkdir()
    pd.DataFrame(rows).to_parquet(source / "a.parquet")
    cell, labels = ("--cell", "newsroom.k8.s13.tkre_plus"), []
    for n, which in enumerate([cell, ("--classifier", str(tmp_path))]):
        done = project.kedro("label", str(source), str(target / str(n)), *which)
        assert "2 sentences, 1 not read" in done.stdout, done.stdout
        labels.append(pd.read_parquet(target / str(n) / "a.parquet"))
    pd.testing.assert_frame_equal(*labels, atol=1e-4)
    both = project.kedro("label", str(source), str(target), *cell, "--classifier", str(tmp_path))
    assert both.returncode != 0 and "give one" in both.stdout
    for cell in ("newsroom.k8.s13.tkre_plus", "newsroom.k8.s13.typ_marker"):
        again = project.kedro("classifier", "export", cell, str(tmp_path))
        assert again.returncode == 1 and "is not empty: name another folder" in again.stdout
    assert RelationExtractor.from_pretrained(tmp_path).digest == exported.digest
    missing = project.kedro("classifier", "export", "newsroom.k8.s21.tkre", str(tmp_path))
    assert (
        missing.returncode != 0 and "--to-outputs newsroom.k8.s21.tkre.calibrator" in missing.stdout
    )


def test_the_page_is_one_file_that_says_what_was_found(project):
    page = newest(project, "08_reporting/demo/report.html").read_text(encoding="utf-8")
    assert 30_000 < len(page) < 400_000
    for variant, score in cells(project)[["variant", "micro_f1"]].to_numpy():
        assert variant in page and f"{score:.1f}" in page
    digest = hashlib.sha256((ROOT / "data/01_raw/newsroom/train.jsonl").read_bytes()).hexdigest()
    assert digest in page  # of the corpus
    assert "newsroom.k8.s13: 88 to train on, 88 to validate" in page
    assert (
        "99 answers through replay; all recorded without the digest" in page
        and "not recorded" not in page
    )
    environment = json.loads(newest(project, "08_reporting/demo/environment.json").read_text())
    [trained] = environment["trained"]
    assert (trained["threads"], trained["device"] is not None) == (1, True)
    errors = pd.read_csv(
        newest(project, "08_reporting/cells/newsroom/k8/s13/tkre_plus/test_errors.csv")
    )
    assert errors["probability"].is_monotonic_decreasing
    assert html.escape(errors["id"].iloc[0]) in page


def test_a_classifier_is_published_with_its_card_which_tells_how_to_use_it(project, tmp_path):
    folder = tmp_path / "mine"
    command = ("classifier", "publish", "newsroom.k8.s13.tkre_plus", str(folder))
    result = project.kedro(*command)
    assert result.returncode == 0, result.stdout
    assert {"README.md", "config.json", "model.safetensors", "relations.yml", "trust.json"} <= {
        file.name for file in folder.iterdir()
    }
    card = ModelCard.load(folder / "README.md")
    [f1] = [r for r in card.data.eval_results if r.metric_name.startswith("micro-F1")]
    of_cell = cells(project).set_index("variant").loc["tkre_plus"]
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
        told = httpx.get(f"{service.url}/relations").json()
        assert all(relation["definition"] for relation in told["relations"])
        assert httpx.get(f"{service.url}/health").json()["calibrated"]


def test_a_classifier_is_served_by_the_name_of_its_cell(project):
    httpx = pytest.importorskip("httpx")
    pytest.importorskip("fastapi_offline", reason="needs the extra `serve`")
    cell = "newsroom.k8.s13.tkre_plus"
    with Service(project.started("classifier", "serve", cell, "--port", "0")) as service:
        told = httpx.get(f"{service.url}/relations").json()
        assert all(relation["definition"] for relation in told["relations"])
        assert told["entity_types"] == ["date", "organization", "person", "place", "work"]
        health = httpx.get(f"{service.url}/health").json()
        assert health["calibrated"] and health["wanted_precision"] is None
        sentence = "<head>Ada</head> was born in <tail>London</tail>."
        answer = httpx.post(f"{service.url}/predict", json={"sentences": [sentence]}, timeout=30)
        assert answer.status_code == 200, answer.text
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


def test_where_the_cells_do_badly_is_a_table_each(project):
    pairs, figures, implicit = (
        pd.read_csv(newest(project, f"08_reporting/demo/{name}.csv"))
        for name in ("diagnosis", "collapse", "implicit")
    )
    assert set(pairs["variant"]) == set(VARIANTS)
    assert pairs["definition_similarity"].between(-1, 1).all()
    assert figures["variant"].tolist() == VARIANTS
    assert figures[["nearest_centre_min", "alignment", "uniformity"]].notna().all().all()
    assert implicit["decided_by"].tolist() == ["flag"] * 3
    rows = ["explicit_rows", "implicit_rows", "undecided_rows", "negative_rows"]
    assert implicit[rows].drop_duplicates().to_numpy().tolist() == [[260, 40, 0, 30]]


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


def test_the_trust_record_is_of_the_classifier_and_reported_on_the_test_rows(project):
    of_cell = "07_model_output/newsroom/k8/s13/tkre_plus"
    record = Calibrator.read(project.folder / "data" / of_cell / "trust.json")
    lineage = json.loads(newest(project, f"{of_cell}/lineage.json").read_text())
    assert record.classifier == lineage["steps"][-1]["weights"]
    assert record.validation_rows == 88 and record.temperature != 1
    assert record.nll_after <= record.nll_before
    table = pd.read_csv(newest(project, "08_reporting/demo/trust.csv")).set_index("variant")
    assert table.index.tolist() == VARIANTS
    assert table.loc["tkre_plus", "temperature"] == record.temperature
    assert table.loc["tkre_plus", "nll_after"] < table.loc["tkre_plus", "nll_before"]
    scores = json.loads(
        newest(project, "08_reporting/cells/newsroom/k8/s13/tkre_plus/test_calibration_scores.json")
        .read_text()
    )  # fmt: skip
    assert scores["rows"] == 330
    assert "calibration_figures.html" in project.printed["reporting"]


def test_inference_abstains_below_the_threshold_of_a_wanted_precision(project):
    sentences = "data/02_intermediate/newsroom/as_written.jsonl"
    lines = (project.folder / "data/01_raw/newsroom/test.jsonl").read_text().splitlines()[:120]
    (project.folder / sentences).write_text("\n".join(lines))
    params = f"inference.sentences={sentences},inference.wanted_precision=0.4"
    result = project.kedro("run", "--pipelines", "inference", "--params", params)
    assert result.returncode == 0, result.stdout
    written = newest(project, "07_model_output/inference/predictions.jsonl").read_text()
    rows = [json.loads(line) for line in written.splitlines()]
    record = Calibrator.read(
        project.folder / "data/07_model_output/newsroom/k8/s13/tkre_plus/trust.json"
    )
    least = record.confidence_for(0.4)
    assert least >= 0.4
    for row in rows:
        withheld = row["probability"] < least and row["predicted"] != "no_relation"
        assert row["abstained"] == withheld
        assert row["answer"] == (None if withheld else row["predicted"])
        assert row["probability"] == row[f"p.{row['predicted']}"]
    assert {row["abstained"] for row in rows} == {True, False}


def test_a_precision_that_the_validation_rows_do_not_support_is_refused_at_once(project):
    before = project.outputs()
    params = "inference.wanted_precision=0.95"
    result = project.kedro("run", "--pipelines", "inference", "--params", params)
    assert result.returncode == 1 and "Traceback" not in result.stdout
    assert "support no threshold for a precision of 0.95" in " ".join(result.stdout.split())
    assert project.outputs() == before


def test_inference_without_a_trust_record_says_what_makes_it(project):
    cell = project.folder / "data/07_model_output/newsroom/k8/s13/tkre"
    (cell / "trust.json").rename(cell / "elsewhere")
    params = "inference.classifier=newsroom.k8.s13.tkre"
    result = project.kedro("run", "--pipelines", "inference", "--params", params)
    (cell / "elsewhere").rename(cell / "trust.json")
    assert result.returncode == 1 and "Traceback" not in result.stdout
    assert "newsroom.k8.s13.tkre.calibrator: made by the pipeline finetuning" in result.stdout


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
    "knowledge": ["background:#a6cee3", "[MASK]", "wanted", "nearest"],
    "results": ["<b>newsroom, K = 8</b>", "tkre_plus, seed 13", "ECE before", "&lt;head&gt;"],
    "label": ["headquartered_in", "wanted_precision", "least_sure"],
}


def test_there_is_no_notebook_that_is_not_run():
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_runs_on_what_a_run_left(project, monkeypatch, name):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    monkeypatch.setenv("KEDRO_ENV", "smoke")
    monkeypatch.setenv("TKRE_DATA", "data/01_raw")
    # As under `kedro jupyter lab`: a kernel works in the folder of its notebook.
    folder = project.folder / "notebooks"
    folder.mkdir(exist_ok=True)
    nbclient.NotebookClient(notebook, resources={"metadata": {"path": folder}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = "".join(str(output.get("data", "")) for output in outputs)
    assert not [text for text in NOTEBOOKS[name] if text not in shown]
    drawn = [o["data"] for o in outputs if "application/vnd.plotly.v1+json" in o.get("data", {})]
    assert len(drawn) == {"results": 4}.get(name, 0)
    assert all("Plotly.newPlot" in data["text/html"] for data in drawn)  # nbconvert knows no other
    warned = [o["text"] for o in outputs if o.get("name") == "stderr" and "Warning" in o["text"]]
    assert not warned


def test_all_previews_of_a_finished_run_can_be_shown(project, tmp_path):
    built = project.kedro(
        "graph", "build", str(tmp_path / "site"), "--previews", "newsroom,inference"
    )
    assert built.returncode == 0, built.stdout
    assert "could not be previewed" not in built.stdout
    panels = [json.loads(p.read_text()) for p in (tmp_path / "site/api/nodes").iterdir()]
    previews = [panel for panel in panels if panel.get("preview")]
    assert len(previews) > 60
    assert {panel["preview_type"] for panel in previews} == {
        "TablePreview", "JSONPreview", "PlotlyPreview",
    }  # fmt: skip


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
