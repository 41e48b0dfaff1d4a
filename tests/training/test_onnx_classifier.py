from __future__ import annotations

import json
import logging

import numpy as np
import pytest

from tests.conftest import instance
from tests.training.test_finetuning import ANSWERS, MARKERS, PROMPT, PROTOTYPES, SPANS, run
from tkre.evaluation.params import TrustParams
from tkre.evaluation.predictions import prediction_frame
from tkre.evaluation.trust import TrustError
from tkre.evaluation.trust_fitting import fit_trust
from tkre.extractor import RelationExtractor
from tkre.modeling.checkpoint import weights_digest
from tkre.training.onnx_classifier import OnnxClassifier, OnnxError, export_onnx
from tkre.training.prediction import predict

pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
HEADS = {"markers": MARKERS, "spans": SPANS, "prompt": PROMPT, "answers": ANSWERS,
         "prototypes": PROTOTYPES}  # fmt: skip


def short(params):
    return params.model_copy(update={"presentations": 8, "min_epochs": 1})


@pytest.fixture(scope="module")
def trained(backbone, toy_rows, schema):
    return run(backbone, toy_rows, schema, short(SPANS))[0]


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    export_onnx(trained, folder)
    return folder


@pytest.mark.parametrize("params", HEADS.values(), ids=HEADS)
def test_an_exported_classifier_gives_the_same(backbone, toy_rows, schema, params, tmp_path):
    checkpoint, _ = run(backbone, toy_rows, schema, short(params))
    export_onnx(checkpoint, tmp_path)
    model = OnnxClassifier.load(tmp_path, threads=1)
    long = instance("<head>anna</head> " + "was seen in the city " * 6 + "of <tail>oslo</tail> .")
    for rows in ([*toy_rows, long], toy_rows[:1], []):
        expected = predict(checkpoint.model, checkpoint.tokenizer, rows, precision="fp32")
        assert np.allclose(predict(model, checkpoint.tokenizer, rows), expected, atol=1e-4)


def test_the_extractor_takes_it_with_its_trust_record(trained, exported, toy_rows, schema):
    plain = RelationExtractor(trained.model, trained.tokenizer)
    probabilities = predict(trained.model, trained.tokenizer, toy_rows)
    frame = prediction_frame(
        [row.id for row in toy_rows], [row.relation for row in toy_rows],
        [p.guess for p in plain(toy_rows)], plain.relations, probabilities,
    )  # fmt: skip
    trust = fit_trust(
        frame, schema.negative, TrustParams(), cell="toy.k8.s13.v",
        classifier=weights_digest(trained.model),
    )  # fmt: skip
    extractor = RelationExtractor.from_pretrained(exported, trust=trust)
    ours = RelationExtractor(trained.model, trained.tokenizer, trust)(toy_rows)
    for one, other in zip(extractor(toy_rows), ours, strict=True):
        assert one.relation == other.relation
        assert one.probability == pytest.approx(other.probability, abs=1e-4)
    other = trust.model_copy(update={"classifier": "0" * 64})
    with pytest.raises(TrustError):
        RelationExtractor.from_pretrained(exported, trust=other)


def test_exporting_says_nothing(trained, tmp_path, caplog, capsys):
    caplog.set_level(logging.WARNING)
    export_onnx(trained, tmp_path)
    assert not caplog.records
    assert capsys.readouterr().out == ""


def test_another_file_is_refused(exported, tmp_path):
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    record = json.loads((tmp_path / "onnx.json").read_text())
    (tmp_path / "onnx.json").write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(OnnxError, match="export it again"):
        OnnxClassifier.load(tmp_path)


def test_it_only_predicts(exported):
    model = OnnxClassifier.load(exported)
    assert model.eval() is model and model.train(False) is model
    with pytest.raises(OnnxError, match="cannot be trained"):
        model.train()
