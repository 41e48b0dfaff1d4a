from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import instance
from tkre.training.finetuning import build_classifier
from tkre.training.inference import embed, features_of, predict, without_names
from tkre.training.params import FinetuningParams

PARAMS = FinetuningParams(optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3})


@pytest.fixture(scope="module")
def model(backbone, schema):
    torch.manual_seed(0)
    return build_classifier(backbone, schema, PARAMS)


def test_probabilities_in_the_order_of_the_rows(model, backbone, toy_rows):
    together = predict(model, backbone.tokenizer, toy_rows, precision="fp32")
    assert together.shape == (20, 4)
    assert together.sum(axis=1) == pytest.approx(1)
    alone = [predict(model, backbone.tokenizer, [row], precision="fp32")[0] for row in toy_rows]
    assert np.allclose(together, alone, atol=1e-5)


def test_bf16_is_near(model, backbone, toy_rows):
    exact = predict(model, backbone.tokenizer, toy_rows, precision="fp32")
    near = predict(model, backbone.tokenizer, toy_rows, precision="bf16")
    assert not np.array_equal(near, exact)
    assert np.allclose(near, exact, atol=0.02)


def test_sentences_that_are_too_long_are_counted(model, backbone, toy_rows, caplog):
    long = instance("<head>anna</head> lives in " + "old " * 200 + "<tail>oslo</tail>")
    with caplog.at_level("INFO"):
        predict(model, backbone.tokenizer, [*toy_rows, long])
        assert not caplog.messages  # validation, epoch by epoch
        predict(model, backbone.tokenizer, toy_rows, description="test")
        assert not caplog.messages
        predict(model, backbone.tokenizer, [*toy_rows, long], description="test")
    [message] = caplog.messages
    assert message.startswith("test: 1 of 21 texts are longer than max_length")


def test_nothing_to_predict(model, backbone):
    assert predict(model, backbone.tokenizer, []).shape == (0, 4)


def test_prediction_does_not_look_at_the_answer_and_restores_the_mode(model, backbone, toy_rows):
    model.train()
    blind = [replace(r, relation=None, triggers=(), explanation=None) for r in toy_rows]
    assert np.array_equal(
        predict(model, backbone.tokenizer, blind), predict(model, backbone.tokenizer, toy_rows)
    )
    assert model.training
    model.eval()


def test_a_classifier_that_reads_both_ways_is_consistent(backbone, schema):
    torch.manual_seed(0)
    model = build_classifier(backbone, schema, PARAMS.model_copy(update={"both_directions": True}))
    row = instance("<head>anna</head> lives in <tail>oslo</tail>")
    inverted = instance("<tail>anna</tail> lives in <head>oslo</head>")
    p, q = (predict(model, backbone.tokenizer, [r], precision="fp32")[0] for r in (row, inverted))
    names = schema.names
    for name in names:
        inverse = schema.inverse_of(name)
        assert p[names.index(name)] == pytest.approx(q[names.index(inverse)], abs=1e-6)


def test_without_inverses_nothing_is_read_twice(model, backbone, toy_rows, monkeypatch):
    monkeypatch.setattr(model.config, "both_directions", True)
    monkeypatch.setattr(model.config, "inverses", {})
    read = []
    monkeypatch.setattr(
        model, "encode", lambda rows, tokenizer: read.append(rows) or encoded(rows, tokenizer)
    )
    encoded = type(model).encode.__get__(model)
    predict(model, backbone.tokenizer, toy_rows)
    assert read == [toy_rows]


def test_means_over_the_tokens_in_the_order_of_the_texts(backbone):
    encoder, tokenizer = backbone.model.base_model, backbone.tokenizer
    texts = ["anna lives in the old town of oslo", "bert", "carla knows dora"]
    vectors = embed(encoder, tokenizer, texts)
    for text, vector in zip(texts, vectors, strict=True):
        inputs = tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            expected = encoder(**inputs).last_hidden_state.mean(dim=1)[0]
        assert torch.allclose(vector, expected, atol=1e-5)


def test_the_mode_of_the_encoder_is_restored(backbone):
    encoder = backbone.model.base_model
    encoder.train()
    embed(encoder, backbone.tokenizer, ["anna"])
    assert encoder.training
    encoder.eval()


def test_a_text_that_is_cut_is_counted(backbone, caplog):
    encoder, tokenizer = backbone.model.base_model, backbone.tokenizer
    texts = ["anna lives in the old town of oslo", "bert"]
    with caplog.at_level("INFO"):
        embed(encoder, tokenizer, texts, "definitions")
        assert not caplog.messages
        embed(encoder, tokenizer, texts, "definitions", max_length=5)
    [message] = caplog.messages
    assert "definitions: 1 of 2" in message


RATES = {"learning_rate": 1e-3, "head_learning_rate": 1e-3}


@pytest.fixture(
    scope="module", params=[{}, {"head": "spans", "layers": [1, 2], "trigger_weight": 0.1}]
)
def featured(request, backbone, schema):
    torch.manual_seed(0)
    return build_classifier(backbone, schema, FinetuningParams(optimisation=RATES, **request.param))


def test_features_in_the_order_of_the_rows(featured, backbone, toy_rows):
    together = features_of(featured, backbone.tokenizer, toy_rows)
    assert together.shape == (20, featured.head.size)
    alone = [features_of(featured, backbone.tokenizer, [row])[0] for row in toy_rows]
    assert np.allclose(together, alone, atol=1e-5)
    assert len(np.unique(together.round(4), axis=0)) > 10


def test_they_are_what_the_head_classifies_and_the_mode_is_restored(featured, backbone, toy_rows):
    featured.train()
    features = features_of(featured, backbone.tokenizer, toy_rows)
    assert featured.training
    featured.eval()
    logits = featured.head.classify(torch.tensor(features, dtype=torch.float32))
    expected = predict(featured, backbone.tokenizer, toy_rows, precision="fp32")
    assert np.allclose(logits.softmax(dim=-1).detach().numpy(), expected, atol=1e-5)


def test_no_rows_no_features(featured, backbone):
    assert features_of(featured, backbone.tokenizer, []).shape == (0, featured.head.size)


def test_a_missing_kernel_is_an_error(featured, backbone, toy_rows, monkeypatch):
    """torch raises NotImplementedError for an operation that a device lacks."""

    def missing(*_, **__):
        raise NotImplementedError("no kernel")

    monkeypatch.setattr(featured.head, "features", missing)
    with pytest.raises(NotImplementedError, match="no kernel"):
        features_of(featured, backbone.tokenizer, toy_rows)


def test_explanations_lose_the_names_of_their_mentions():
    row = instance(
        "<head>Ada</head> lives in <tail>Rome</tail>",
        explanation="ada is at home in Rome. Adam not.",
    )
    assert without_names(row) == "the first entity is at home in the second entity. Adam not."


@pytest.mark.parametrize(
    ("sentence", "explanation", "without"),
    [
        ("<head>林晓燕</head>出生于<tail>成都</tail>。", "林晓燕出生于成都，所以成都是出生地。",
         "the first entity 出生于 the second entity，所以 the second entity 是出生地。"),
        ("<head>山田</head>は<tail>ＮＨＫ</tail>に勤める。", "NHKに勤める山田は社員だ。",
         "the second entity に勤める the first entity は社員だ。"),
        ("<head>김민</head>은 <tail>서울</tail>에서 태어났다.", "김민은 서울에서, 김민수는 집에서.",
         "the first entity 은 the second entity 에서, 김민수는 집에서."),
        ("<head>สมชาย</head>เกิดที่<tail>กรุงเทพ</tail>", "สมชายเกิดที่กรุงเทพฯ",
         "the first entity เกิดที่ the second entity ฯ"),
    ],
)  # fmt: skip
def test_names_within_clauses_without_blanks(sentence, explanation, without):
    assert without_names(instance(sentence, explanation=explanation)) == without


def test_of_mentions_in_one_another_the_head_is_replaced():
    row = instance("<head>York</head> is in <tail>York County</tail>",
                   explanation="York County holds York.")  # fmt: skip
    assert without_names(row) == "the first entity County holds the first entity."
