from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import instance
from tkre.modeling.checkpoint import weights_digest
from tkre.training.params import SetFitParams

pytest.importorskip("setfit", reason="needs the extra `baselines`: pip install -e '.[baselines]'")

from tkre.training.setfit import predict_setfit, sentence_encoder, texts, train_setfit

pytestmark = pytest.mark.slow

# Enough steps at a high rate for a random encoder to learn twenty sentences.
PARAMS = SetFitParams(samples_per_relation=120, learning_rate=2e-3)


def train(backbone, rows, schema, params=PARAMS, seed=1):
    return train_setfit(backbone, rows, schema, params, data="d", seed=seed, description="toy")


def predict(model, backbone, rows, schema, params=PARAMS):
    return predict_setfit(model, backbone, rows, schema, params, description="toy")


@pytest.fixture(scope="module")
def trained(backbone, toy_rows, schema):
    return train(backbone, toy_rows, schema)


def test_it_learns_its_rows(trained, backbone, toy_rows, schema):
    probabilities = predict(trained[0], backbone, toy_rows, schema)
    assert probabilities.shape == (len(toy_rows), 4)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    guessed = [schema.names[n] for n in probabilities.argmax(axis=1)]
    assert np.mean([g == row.relation for g, row in zip(guessed, toy_rows, strict=True)]) > 0.9


def test_sentences_of_a_relation_move_together(trained, backbone, toy_rows):
    sentences = texts(backbone, toy_rows, PARAMS, "toy")
    alike = np.array([[a.relation == b.relation for b in toy_rows] for a in toy_rows])

    def margin(encoder):
        embedded = encoder.encode(sentences, show_progress_bar=False)
        likeness = embedded @ embedded.T
        return likeness[alike].mean() - likeness[~alike].mean()

    before = margin(sentence_encoder(backbone, PARAMS.max_length))
    assert margin(trained[0].model_body) > before + 0.2


def test_the_lineage_is_one_step_from_the_backbone_which_stays_as_it_is(trained, backbone):
    model, lineage = trained
    (step,) = lineage.steps
    assert step.started_from == weights_digest(backbone.model) == backbone.lineage.weights
    assert step.weights == weights_digest(model.model_body) != step.started_from
    assert step.stage == "finetuning" and step.settings == PARAMS.model_dump(mode="json")
    assert step.seconds > 0 and step.data == "d"


def test_the_same_seed_gives_the_same_model(backbone, toy_rows, schema):
    params = PARAMS.model_copy(update={"samples_per_relation": 10})
    once, again, other = (train(backbone, toy_rows, schema, params, seed) for seed in (3, 3, 4))
    assert once[1].weights == again[1].weights != other[1].weights


def test_half_precision_learns_what_full_precision_does(backbone, toy_rows, schema):
    sentences = texts(backbone, toy_rows, PARAMS, "toy")

    def embedded(precision):
        params = PARAMS.model_copy(update={"precision": precision})
        model, _ = train(backbone, toy_rows, schema, params)
        return model.model_body.encode(sentences, show_progress_bar=False)

    assert (embedded("fp32") * embedded("bf16")).sum(axis=1).min() > 0.999


def test_a_relation_without_a_row_is_never_predicted(backbone, toy_rows, schema):
    rows = [row for row in toy_rows if row.relation != "knows"]
    params = PARAMS.model_copy(update={"samples_per_relation": 10})
    model, _ = train(backbone, rows, schema, params)
    probabilities = predict(model, backbone, toy_rows, schema, params)
    assert (probabilities[:, schema.names.index("knows")] == 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(1)


def test_an_embedding_is_the_mean_over_the_tokens_of_length_one(backbone):
    encoder = sentence_encoder(backbone, 128)
    sentences = ["anna lives in oslo .", "bert never saw rome"]
    for sentence, found in zip(sentences, encoder.encode(sentences), strict=True):
        with torch.no_grad():
            inputs = backbone.tokenizer(sentence, return_tensors="pt")
            states_TD = backbone.model.base_model(**inputs).last_hidden_state[0]
        mean_D = states_TD.mean(dim=0).numpy()
        assert found == pytest.approx(mean_D / np.linalg.norm(mean_D), abs=1e-5)


def test_mentions_are_marked_with_their_types(backbone):
    row = instance("<head>anna</head> lives in <tail>oslo</tail> .", head_type="person")
    assert texts(backbone, [row], PARAMS, "toy") == ["@ * person * anna @ lives in # oslo # ."]
    untyped = PARAMS.model_copy(update={"typed_markers": False})
    assert texts(backbone, [row], untyped, "toy") == ["@ anna @ lives in # oslo # ."]


def test_sentences_that_are_cut_are_counted(backbone, caplog):
    row = instance(f"<head>anna</head> met {'a friend of ' * 20}<tail>bert</tail> .")
    short = PARAMS.model_copy(update={"max_length": 16})
    with caplog.at_level("INFO"):
        texts(backbone, [row, replace(row, text=row.text)], short, "toy")
    assert "toy: 2 of 2 texts are longer than max_length" in caplog.text
