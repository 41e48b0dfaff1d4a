from __future__ import annotations

import contextlib
import io
import json
import logging.handlers
import subprocess
import sys

import numpy as np
import pytest

from tests.conftest import instance
from tests.paths import machine_paths
from tests.training.test_finetuning import MARKERS, PROMPT, PROTOTYPES, SPANS, VIRTUAL_WORDS, run
from tkre.core.instance import to_tagged
from tkre.evaluation.calibration_report import fit_calibrator
from tkre.evaluation.calibrator import CalibratorError
from tkre.evaluation.params import CalibrationParams
from tkre.evaluation.predictions import prediction_frame
from tkre.modeling.checkpoint import weights_digest
from tkre.modeling.tokenization import FileTokenizer
from tkre.serving.extractor import RelationExtractor
from tkre.training.inference import predict
from tkre.training.onnx_classifier import OnnxClassifier, OnnxError
from tkre.training.onnx_export import export_onnx
from tkre.training.scoring import score

pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")


BY_ORDER = SPANS.model_copy(update={"layers": (1,), "by_order": True, "before_mentions": True})
HEADS = {"markers": MARKERS, "virtual_words": VIRTUAL_WORDS, "prototypes": PROTOTYPES}


def short(params):
    return params.model_copy(update={"samples_per_relation": 8, "min_epochs": 1})


@pytest.fixture(scope="module")
def trained(backbone, toy_rows, schema):
    params = short(SPANS).model_copy(update={"layers": (1,)})
    return run(backbone, toy_rows, schema, params)[0]


@pytest.fixture(scope="module")
def trained_prompt(backbone, toy_rows, schema):
    return run(backbone, toy_rows, schema, short(PROMPT))[0]


@pytest.fixture(scope="module")
def exported(trained, tmp_path_factory):
    return export_quietly(trained, tmp_path_factory.mktemp("spans"))


@pytest.fixture(scope="module")
def exported_prompt(trained_prompt, tmp_path_factory):
    return export_quietly(trained_prompt, tmp_path_factory.mktemp("prompt"))


def export_quietly(checkpoint, folder):
    messages = logging.handlers.BufferingHandler(1000)
    logging.getLogger().addHandler(messages)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        export_onnx(checkpoint, folder)
    logging.getLogger().removeHandler(messages)
    assert [m for m in messages.buffer if m.levelno >= logging.WARNING] == []
    assert printed.getvalue() == ""
    return folder


def test_an_export_holds_no_path_of_the_machine(exported):
    # The exporter adds the place in the source of each operator.
    assert machine_paths(exported) == []


def test_the_extractor_takes_it_with_its_calibrator(trained, exported, toy_rows, schema):
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


def test_truncated_sentences_are_marked(exported):
    sentence = "<head>anna</head> lives in the old <tail>oslo</tail> ."
    extractor = RelationExtractor.from_pretrained(exported)
    truncated = [p.truncated for p in extractor([sentence + " then" * 200, sentence])]
    assert truncated == [True, False] and extractor.config.max_length == 128


def test_another_file_is_refused(exported, tmp_path):
    for file in exported.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    record = json.loads((tmp_path / "onnx.json").read_text())
    (tmp_path / "onnx.json").write_text(json.dumps(record | {"sha256": "0" * 64}))
    with pytest.raises(OnnxError, match="export it again"):
        OnnxClassifier.load(tmp_path)


def test_without_onnx_runtime_the_message_names_the_extra(exported, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(OnnxError, match=r"pip install 'tkre\[onnx\]'"):
        OnnxClassifier.load(exported)


def check_equal(checkpoint, folder, toy_rows):
    model = OnnxClassifier.load(folder, threads=1)
    long = instance("<head>anna</head> " + "was seen in the city " * 6 + "of <tail>oslo</tail> .")
    for rows in ([*toy_rows, long], toy_rows[:1], []):
        expected = predict(checkpoint.model, checkpoint.tokenizer, rows, precision="fp32")
        given = score(model, FileTokenizer.load(folder), rows).probabilities
        assert np.allclose(given, expected, atol=1e-4)


def test_an_exported_classifier_gives_the_same(
    trained, exported, trained_prompt, exported_prompt, toy_rows
):
    check_equal(trained, exported, toy_rows)
    check_equal(trained_prompt, exported_prompt, toy_rows)


@pytest.mark.slow
@pytest.mark.parametrize("params", HEADS.values(), ids=HEADS)
def test_every_head_can_be_exported(backbone, toy_rows, schema, params, tmp_path):
    checkpoint, _ = run(backbone, toy_rows, schema, short(params))
    export_onnx(checkpoint, tmp_path)
    check_equal(checkpoint, tmp_path, toy_rows)


def test_an_export_tells_the_order_of_the_mentions(backbone, toy_rows, schema, tmp_path):
    checkpoint, _ = run(backbone, toy_rows, schema, short(BY_ORDER))
    assert checkpoint.model.config.by_order and checkpoint.model.config.before_mentions
    export_onnx(checkpoint, tmp_path)
    check_equal(checkpoint, tmp_path, [*toy_rows, *(row.inverted() for row in toy_rows)])


WITHOUT_LIBRARIES = """
import json, sys
for heavy in ("torch", "transformers", "pandas", "kedro", "sklearn", "scipy", "pyarrow"):
    sys.modules[heavy] = None  # importing it raises ImportError
from tkre.serving.extractor import RelationExtractor
sentences, *folders = sys.argv[1:]
predictions = [RelationExtractor.from_pretrained(f)(json.loads(sentences)) for f in folders]
print(json.dumps([[list(p.probabilities.values()) for p in rows] for rows in predictions]))
"""


def test_exported_classifiers_need_no_model_library(
    trained, exported, trained_prompt, exported_prompt, toy_rows
):
    sentences = [to_tagged(row) for row in toy_rows[:3]]
    command = [sys.executable, "-W", "ignore", "-c", WITHOUT_LIBRARIES, json.dumps(sentences)]
    done = subprocess.run([*command, str(exported), str(exported_prompt)], text=True,
                          capture_output=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    for checkpoint, rows in zip((trained, trained_prompt), json.loads(done.stdout), strict=True):
        expected = RelationExtractor(checkpoint.model, checkpoint.tokenizer)(sentences)
        for prediction, row in zip(expected, rows, strict=True):
            assert row == pytest.approx(list(prediction.probabilities.values()), abs=1e-4)
