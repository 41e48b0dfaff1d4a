"""The default experiment as one run leaves it: tables, page, lineage, last lines."""

from __future__ import annotations

import hashlib
import html
import json
import re

import pandas as pd
import pytest

from tests.conftest import ROOT
from tests.smoke_project import newest
from tkre.evaluation.calibrator import Calibrator

pytestmark = pytest.mark.e2e
VARIANTS = ["typ_marker", "tkre", "tkre_plus", "tkre_plus_annotated"]


def test_the_report_has_a_row_per_cell_and_one_per_metric(demo):
    table = demo.cells()
    assert table["variant"].tolist() == VARIANTS
    assert list(table)[:11] == ["corpus", "shots", "synthetic", "noise", "filtered", "annotated",
                                "chosen", "llm", "seed", "variant", "micro_precision"]  # fmt: skip
    # The baseline uses no synthetic sentence, and nothing else of a language model.
    assert table["synthetic"].tolist() == [0, 1, 1, 1]
    assert table["annotated"].tolist() == [0, 0, 0, 1012]
    assert table["llm"].tolist() == ["none", *["default"] * 3]
    summary = pd.read_csv(newest(demo, "08_reporting/demo/summary.csv"))
    # Four scores of the test set, and three of natural text.
    assert len(summary) == 4 * (4 + 3)
    assert {"corpus", "shots", "variant", "metric", "mean", "std"} <= set(summary)
    differing = summary[summary["difference"].notna()]
    assert set(differing["variant"]) == set(VARIANTS[1:])


def test_the_last_lines_say_what_was_found_and_where_it_lies(demo):
    printed = demo.printed
    end = printed[printed.index("demo: newsroom, K = 8") :]
    for variant, score in demo.cells()[["variant", "micro_f1"]].to_numpy():
        assert re.search(rf"{variant} +\d+ +1 +{score:.1f} ", end)  # annotated, seeds
    for file in re.findall(r"data/08_reporting\S+", end):
        assert [*demo.folder.glob(file)]
    *_, report, tables, cards, following = end.rstrip().splitlines()
    assert report.split() == ["report:", "data/08_reporting/demo/latest.html"]
    assert (demo.folder / report.split()[1]).read_text(encoding="utf-8").startswith("<!DOCTYPE")
    assert tables.split()[-1] == "data/08_reporting/demo" and cards.startswith("model cards:")
    command = following.removeprefix("Next: kedro ").split()
    assert command[:3] == ["corpus", "probe", "newsroom"]
    done = demo.kedro(*command)
    assert done.returncode == 0, done.stdout


def test_a_normal_run_has_no_warnings_and_leaves_no_stray_files(demo):
    assert "WARNING" not in demo.printed and "Warning" not in demo.printed
    assert {p.name for p in demo.folder.iterdir()} <= {
        "pyproject.toml", ".telemetry", "conf", "src", "data", ".viz", "backbone",
        "printed.txt", "outputs.txt",
    }  # fmt: skip
    assert (demo.folder / "data/08_reporting/tkre.log").is_file()


def test_a_second_run_does_nothing(demo):
    before = {file: (demo.folder / "data" / file).stat().st_mtime_ns for file in demo.outputs()}
    again = demo.kedro("run")
    assert again.returncode == 0, again.stdout
    assert not re.search(r"\d+ of \d+: ", again.stdout)
    assert re.search(r"(\d+) of \1 nodes were up to date", again.stdout)
    for file, time in before.items():
        assert (demo.folder / "data" / file).stat().st_mtime_ns == time, file
    # Tests of inference may share this project at the same time.
    assert {file for file in demo.outputs() - set(before) if "inference" not in file} == set()
    assert "demo: newsroom, K = 8" in again.stdout  # and still says what was found


def test_the_page_is_one_file_that_says_what_was_found(demo):
    page = newest(demo, "08_reporting/demo/report.html").read_text(encoding="utf-8")
    assert 30_000 < len(page) < 400_000
    for variant, score in demo.cells()[["variant", "micro_f1"]].to_numpy():
        assert variant in page and f"{score:.1f}" in page
    digest = hashlib.sha256((ROOT / "data/01_raw/newsroom/train.jsonl").read_bytes()).hexdigest()
    assert digest in page  # of the corpus
    # Sizes of the K-shot sets; answers of the language model and where they come from.
    assert re.search(r"newsroom\.k8\.s13: 88 [^<]*88", page)
    assert re.search(r"1,111 responses \(replay\)[^<]*digest", page)
    assert "not recorded" not in page
    manifest = json.loads(newest(demo, "08_reporting/demo/manifest.json").read_text())
    [trained] = manifest["trained"]
    assert (trained["threads"], trained["device"] is not None) == (1, True)
    assert manifest["corpora"]["newsroom"]["files"]["train.jsonl"] == digest
    assert set(manifest["samples"]["newsroom.k8.s13"]["answers"]) == {"explanation", "synthesis"}
    assert set(manifest["samples"]["newsroom.k8a1012.s13"]["answers"]) == {"annotation"}
    record = manifest["cells"]["newsroom.k8.s13.tkre"]
    assert record["seed"] == 13 and record["recipe"]["finetuning"]["samples_per_relation"] == 16
    assert [step["stage"] for step in record["lineage"]["steps"]] == ["mslm", "scl", "finetuning"]
    errors = pd.read_csv(
        newest(demo, "08_reporting/cells/newsroom/k8/s13/tkre_plus/test_errors.csv")
    )
    assert errors["probability"].is_monotonic_decreasing
    assert html.escape(errors["id"].iloc[0]) in page


def test_every_test_row_has_a_label_and_probabilities(demo):
    frame = pd.read_parquet(
        newest(demo, "07_model_output/newsroom/k8/s13/tkre_plus/test_predictions.parquet")
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


def test_the_encoder_s_lineage_is_one_chain(demo):
    lineage = json.loads(
        newest(demo, "07_model_output/newsroom/k8/s13/tkre/lineage.json").read_text()
    )
    stages = [step["stage"] for step in lineage["steps"]]
    assert stages == ["mslm", "scl", "finetuning"]
    weights = lineage["origin"]
    for step in lineage["steps"]:
        assert step["started_from"] == weights
        weights = step["weights"]


def test_losses_of_every_step_are_a_table(demo):
    outputs = demo.folder / "data/07_model_output/newsroom/k8/s13"
    losses = pd.read_csv(next(outputs.glob("encoder_*/scl_losses.csv/*/scl_losses.csv")))
    assert {"epoch", "step", "loss", "mslm", "scl"} <= set(losses)
    assert len(losses) > 2 and losses.notna().all().all()


def test_where_the_cells_do_badly_is_a_table_each(demo):
    pairs, figures, implicit = (
        pd.read_csv(newest(demo, f"08_reporting/demo/{name}.csv"))
        for name in ("diagnosis", "collapse", "implicit")
    )
    assert set(pairs["variant"]) == set(VARIANTS)
    assert pairs["definition_similarity"].between(-1, 1).all()
    assert figures["variant"].tolist() == VARIANTS
    assert figures[["nearest_centroid_min", "alignment", "uniformity"]].notna().all().all()
    assert implicit["decided_by"].tolist() == ["flag"] * 4
    rows = ["explicit_rows", "implicit_rows", "undecided_rows", "negative_rows"]
    assert implicit[rows].drop_duplicates().to_numpy().tolist() == [[260, 40, 0, 30]]


def test_the_yield_accounts_for_everything(demo):
    table = pd.read_csv(newest(demo, "04_feature/newsroom/k8/s13/yield.csv"))
    assert len(table) == 22
    assert (table["answered"] == table["kept"] + table["surplus"] + table["rejected"]).all()
    assert (table["short"] == table["wanted"] - table["kept"]).all()
    rejects = pd.read_csv(newest(demo, "04_feature/newsroom/k8/s13/rejects.csv"))
    assert len(rejects) == table["rejected"].sum()


def test_the_calibrator_is_of_the_classifier_and_reported_on_the_test_rows(demo):
    of_cell = "07_model_output/newsroom/k8/s13/tkre_plus"
    record = Calibrator.read(demo.folder / "data" / of_cell / "trust.json")
    lineage = json.loads(newest(demo, f"{of_cell}/lineage.json").read_text())
    assert record.classifier == lineage["steps"][-1]["weights"]
    assert record.validation_rows == 88 and record.temperature != 1
    assert record.nll_after <= record.nll_before
    table = pd.read_csv(newest(demo, "08_reporting/demo/calibration.csv")).set_index("variant")
    assert table.index.tolist() == VARIANTS
    assert table.loc["tkre_plus", "temperature"] == record.temperature
    assert table.loc["tkre_plus", "nll_after"] < table.loc["tkre_plus", "nll_before"]
    scores = json.loads(
        newest(demo, "08_reporting/cells/newsroom/k8/s13/tkre_plus/test_calibration_scores.json")
        .read_text()
    )  # fmt: skip
    assert scores["rows"] == 330
