from __future__ import annotations

import logging

import numpy as np
import pytest

from tests.conftest import instance
from tests.paths import machine_paths
from tests.training.test_finetuning import MARKERS, PROMPT, PROTOTYPES, SPANS, VIRTUAL_WORDS, run
from tkre.training.inference import predict
from tkre.training.onnx_classifier import OnnxClassifier
from tkre.training.onnx_export import export_onnx
from tkre.training.scoring import score

pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
HEADS = {"markers": MARKERS, "spans": SPANS, "prompt": PROMPT, "virtual_words": VIRTUAL_WORDS,
         "prototypes": PROTOTYPES}  # fmt: skip


def short(params):
    return params.model_copy(update={"samples_per_relation": 8, "min_epochs": 1})


@pytest.mark.parametrize("params", HEADS.values(), ids=HEADS)
def test_an_exported_classifier_gives_the_same(backbone, toy_rows, schema, params, tmp_path):
    checkpoint, _ = run(backbone, toy_rows, schema, short(params))
    export_onnx(checkpoint, tmp_path)
    model = OnnxClassifier.load(tmp_path, threads=1)
    long = instance("<head>anna</head> " + "was seen in the city " * 6 + "of <tail>oslo</tail> .")
    for rows in ([*toy_rows, long], toy_rows[:1], []):
        expected = predict(checkpoint.model, checkpoint.tokenizer, rows, precision="fp32")
        given = score(model, model.load_tokenizer(tmp_path), rows).probabilities
        assert np.allclose(given, expected, atol=1e-4)


def test_exporting_says_nothing_and_names_no_place_of_the_machine(
    backbone, toy_rows, schema, tmp_path, caplog, capsys
):
    trained, _ = run(backbone, toy_rows, schema, short(SPANS))
    caplog.set_level(logging.WARNING)
    caplog.clear()
    capsys.readouterr()
    export_onnx(trained, tmp_path)
    assert not caplog.records
    assert capsys.readouterr().out == ""
    # The exporter writes down where in the source each operator came from.
    assert machine_paths(tmp_path) == []
