from __future__ import annotations

import contextlib
import io
import json
import logging.handlers
import os
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


@pytest.fixture(scope="module")
def exported_int8(trained, tmp_path_factory):
    return export_quietly(trained, tmp_path_factory.mktemp("int8"), int8=True)


def export_quietly(checkpoint, folder, **options):
    messages = logging.handlers.BufferingHandler(1000)
    logging.getLogger().addHandler(messages)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        export_onnx(checkpoint, folder, **options)
    logging.getLogger().removeHandler(messages)
    assert [m for m in messages.buffer if m.levelno >= logging.WARNING] == []
    assert printed.getvalue() == ""
    return folder


def test_an_export_holds_no_path_of_the_machine(exported, exported_int8):
    # The exporter adds the place in the source of each operator.
    assert machine_paths(exported) == [] == machine_paths(exported_int8)


def test_an_export_leaves_the_attention_of_the_classifier(trained, exported):
    assert trained.model.encoder.config._attn_implementation == "sdpa"


def test_int8_gives_nearly_the_same_by_other_products(trained, exported_int8, toy_rows):
    import onnx

    file = onnx.load(exported_int8 / "model.onnx")
    products = [n for n in file.graph.node if n.op_type == "MatMulInteger"]
    assert len(products) >= 6 * len(trained.model.encoder.encoder.layer)
    extractor = RelationExtractor.from_pretrained(exported_int8)
    assert extractor.digest == weights_digest(trained.model)
    assert not extractor.rows_are_independent  # a batch has one scale
    found = score(extractor._model, FileTokenizer.load(exported_int8), toy_rows).probabilities
    expected = predict(trained.model, trained.tokenizer, toy_rows, precision="fp32")
    assert np.allclose(found, expected, atol=0.05) and not np.allclose(found, expected, atol=1e-6)


def test_threads_change_no_answer(exported, toy_rows):
    tokenizer = FileTokenizer.load(exported)
    one, three = (OnnxClassifier.load(exported, threads=n) for n in (1, 3))
    one.tokens_per_batch = three.tokens_per_batch = 64  # several batches
    expected = score(one, tokenizer, toy_rows).probabilities
    assert np.array_equal(score(three, tokenizer, toy_rows).probabilities, expected)


@pytest.mark.parametrize(("given", "threads"), [("3", 3), ("4,2", 4), ("", os.cpu_count())])
def test_threads_are_those_of_the_process(exported, monkeypatch, given, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", given)  # Ray sets it for its workers
    assert OnnxClassifier.load(exported).threads == threads
    assert OnnxClassifier.load(exported, threads=5).threads == 5


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
