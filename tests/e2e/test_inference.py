"""What a trained classifier is used for: inference, thresholds, export."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from tests.smoke_project import newest
from tkre.evaluation.calibrator import Calibrator
from tkre.serving.extractor import RelationExtractor

pytestmark = pytest.mark.e2e
CELL = "inference.classifier=newsroom.k8.s13.tkre_plus"


def test_inference_labels_a_file_with_the_newest_classifier(demo):
    result = demo.kedro("run", "--pipelines", "inference")
    assert result.returncode == 0, result.stdout
    assert "predictions.jsonl" in result.stdout.splitlines()[-1]
    lines = newest(demo, "07_model_output/inference/predictions.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert len(lines) == 6
    assert first["sentence"].startswith("<head>Ingrid Solheim</head>")
    assert first["probability"] == max(v for k, v in first.items() if k.startswith("p."))


def test_inference_abstains_below_the_threshold_of_a_wanted_precision(demo):
    sentences = "data/02_intermediate/newsroom/as_written.jsonl"
    lines = (demo.folder / "data/01_raw/newsroom/test.jsonl").read_text().splitlines()[:120]
    (demo.folder / sentences).write_text("\n".join(lines))
    params = f"inference.sentences={sentences},inference.wanted_precision=0.4,{CELL}"
    result = demo.kedro("run", "--pipelines", "inference", "--params", params)
    assert result.returncode == 0, result.stdout
    written = newest(demo, "07_model_output/inference/predictions.jsonl").read_text()
    rows = [json.loads(line) for line in written.splitlines()]
    record = Calibrator.read(
        demo.folder / "data/07_model_output/newsroom/k8/s13/tkre_plus/trust.json"
    )
    least = record.confidence_for(0.4)
    assert least >= 0.4
    for row in rows:
        withheld = row["probability"] < least and row["predicted"] != "no_relation"
        assert row["abstained"] == withheld
        assert row["answer"] == (None if withheld else row["predicted"])
        assert row["probability"] == row[f"p.{row['predicted']}"]
    assert {row["abstained"] for row in rows} == {True, False}


def test_labelling_and_the_pipeline_give_the_same_rows(demo):
    rows = [
        '{"id": 7, "sentence": "<head>Ada</head> was born in <tail>London</tail>.", "year": 1815}',
        '{"sentence": "<head>Ada</head> was born in London."}',
    ]
    (demo.folder / "data/mine.jsonl").write_text("\n".join(rows))
    result = demo.kedro("run", "--pipelines", "inference", "--params",
                        f"{CELL},inference.sentences=data/mine.jsonl")  # fmt: skip
    assert result.returncode == 0, result.stdout
    assert "2 rows, 1 answered, 0 withheld, 1 not read" in result.stdout
    assert "not read: line 2: tag <tail> is missing" in result.stdout
    made = newest(demo, "07_model_output/inference/predictions.jsonl").read_text()
    assert json.loads(made.splitlines()[0])["year"] == 1815
    done = demo.kedro("label", "data/mine.jsonl", "data/labels.jsonl", "--classifier",
                      "newsroom.k8.s13.tkre_plus")  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1] == "Next: kedro classifier serve newsroom.k8.s13.tkre_plus"
    assert (demo.folder / "data/labels.jsonl").read_text() == made
    (demo.folder / "data/tasks.json").write_text('[{"data": {"text": "x"}, "annotations": []}]')
    other = demo.kedro("run", "--pipelines", "inference", "--params",
                       f"{CELL},inference.sentences=data/tasks.json")  # fmt: skip
    assert other.returncode == 1 and "Traceback" not in other.stdout
    assert "is Label Studio's JSON: `kedro corpus import" in other.stdout
    (demo.folder / "data/bad.txt").write_text("no mention\n")
    bad = demo.kedro("label", "data/bad.txt", "data/bad.csv")
    assert bad.returncode == 1 and "Traceback" not in bad.stdout
    assert (
        "tkre_plus_annotated, of the last run" in bad.stdout
        and "no sentence was labelled" in bad.stdout
    )


def test_a_precision_that_the_validation_rows_do_not_support_is_refused_at_once(demo):
    before = demo.outputs()
    params = f"inference.wanted_precision=0.95,{CELL}"
    result = demo.kedro("run", "--pipelines", "inference", "--params", params)
    assert result.returncode == 1 and "Traceback" not in result.stdout
    assert "support no threshold for a precision of 0.95" in " ".join(result.stdout.split())
    assert demo.outputs() == before


def test_a_classifier_is_exported_by_the_name_of_its_cell(demo, tmp_path):
    pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    result = demo.kedro("classifier", "export", "newsroom.k8.s13.tkre_plus", str(tmp_path))
    assert result.returncode == 0, result.stdout
    sentence = "<head>Ada</head> was born in <tail>London</tail>."
    folder = demo.folder / "data/06_models/newsroom/k8/s13/tkre_plus/classifier"
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
    cell, labels = ("--classifier", "newsroom.k8.s13.tkre_plus"), []
    for n, which in enumerate([cell, ("--classifier", str(tmp_path))]):
        done = demo.kedro("label", str(source), str(target / str(n)), *which)
        assert "2 rows, 1 answered, 0 withheld, 1 not read" in done.stdout, done.stdout
        labels.append(pd.read_parquet(target / str(n) / "a.parquet"))
    pd.testing.assert_frame_equal(*labels, atol=1e-4)
    int8 = str(tmp_path / "int8")
    result = demo.kedro("classifier", "export", "newsroom.k8.s13.tkre_plus", int8, "--int8")
    assert result.returncode == 0, result.stdout
    assert RelationExtractor.from_pretrained(int8).digest == exported.digest
    done = demo.kedro("label", str(source), str(target / "1"), "--classifier", int8)
    assert "2 rows" in done.stdout and "done before" not in done.stdout
    assert done.stdout.splitlines()[-1] == f"Next: python -m tkre.serving.api {int8}"
    for cell in ("newsroom.k8.s13.tkre_plus", "newsroom.k8.s13.typ_marker"):
        again = demo.kedro("classifier", "export", cell, str(tmp_path))
        assert again.returncode == 1 and "is not empty: name another folder" in again.stdout
    assert RelationExtractor.from_pretrained(tmp_path).digest == exported.digest
    missing = demo.kedro("classifier", "export", "newsroom.k8.s21.tkre", str(tmp_path))
    assert (
        missing.returncode != 0 and "--to-outputs newsroom.k8.s21.tkre.calibrator" in missing.stdout
    )
