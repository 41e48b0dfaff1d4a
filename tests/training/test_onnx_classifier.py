from __future__ import annotations

import json
import shutil
import sys

import pytest
from transformers import PreTrainedTokenizerFast

from tests.training.test_finetuning import SPANS, run
from tkre.evaluation.calibration_report import fit_calibrator
from tkre.evaluation.calibrator import CalibratorError
from tkre.evaluation.params import CalibrationParams
from tkre.evaluation.predictions import prediction_frame
from tkre.modeling.checkpoint import weights_digest
from tkre.modeling.encodings import ENCODINGS
from tkre.modeling.tokenization import FileTokenizer
from tkre.serving.extractor import RelationExtractor
from tkre.training.inference import predict
from tkre.training.onnx_classifier import OnnxClassifier, OnnxError
from tkre.training.onnx_export import export_onnx

pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")


def short(params):
    return params.model_copy(update={"samples_per_relation": 8, "min_epochs": 1})


@pytest.fixture(scope="module")
def trained(backbone, toy_rows, schema):
    return run(backbone, toy_rows, schema, short(SPANS))[0]


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(trained, folder)
    return folder


def test_the_extractor_takes_it_with_its_trust_record(trained, exported, toy_rows, schema):
    plain = RelationExtractor(trained.model, trained.tokenizer)
    probabilities = predict(trained.model, trained.tokenizer, toy_rows)
    frame = prediction_frame(
        [row.id for row in toy_rows], [row.relation for row in toy_rows],
        [p.guess for p in plain(toy_rows)], plain.relations, probabilities,
    )  # fmt: skip
    calibrator = fit_calibrator(
        frame, schema.negative, CalibrationParams(), cell="toy.k8.s13.v",
        classifier=weights_digest(trained.model),
    )  # fmt: skip
    extractor = RelationExtractor.from_pretrained(exported, calibrator=calibrator)
    ours = RelationExtractor(trained.model, trained.tokenizer, calibrator)(toy_rows)
    for one, other in zip(extractor(toy_rows), ours, strict=True):
        assert one.relation == other.relation
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
    other = calibrator.model_copy(update={"classifier": "0" * 64})
    with pytest.raises(CalibratorError):
        RelationExtractor.from_pretrained(exported, calibrator=other)


def test_it_tells_which_sentences_it_reads_in_part(exported):
    sentence = "<head>anna</head> lives in the old <tail>oslo</tail> ."
    extractor = RelationExtractor.from_pretrained(exported)
    told = [p.truncated for p in extractor([sentence + " then" * 200, sentence])]
    assert told == [True, False] and extractor.config.max_length == 128


def test_another_file_is_refused(exported, tmp_path):
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    record = json.loads((tmp_path / "onnx.json").read_text())
    (tmp_path / "onnx.json").write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(OnnxError, match="export it again"):
        OnnxClassifier.load(tmp_path)


@pytest.mark.parametrize("why", ["the head of another package", "an encoder of few words"])
def test_what_cannot_be_read_without_torch_is_read_by_the_head(
    exported, toy_rows, tmp_path, monkeypatch, why
):
    """As every exported classifier was before ``modeling.encodings``."""
    expected = RelationExtractor.from_pretrained(exported)(toy_rows)
    assert isinstance(OnnxClassifier.load(exported).load_tokenizer(exported), FileTokenizer)
    shutil.copytree(exported, tmp_path, dirs_exist_ok=True)
    if why == "the head of another package":
        monkeypatch.delitem(ENCODINGS.entries, "spans")
    else:
        config = json.loads((tmp_path / "config.json").read_text())
        del config["encoder"]["pad_token_id"]  # BERT's default is meant
        (tmp_path / "config.json").write_text(json.dumps(config))
    extractor = RelationExtractor.from_pretrained(tmp_path)
    assert isinstance(extractor._tokenizer, PreTrainedTokenizerFast)
    assert extractor(toy_rows) == expected


def test_without_onnx_runtime_it_says_what_to_install(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OnnxError, match=r"pip install 'tkre\[onnx\]'"):
        OnnxClassifier.load(exported)
