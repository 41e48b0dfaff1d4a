from __future__ import annotations

import numpy as np
import pytest
import torch

from tkre.modeling.checkpoint import weights_digest
from tkre.training.finetuning import build_classifier, finetune, start_span_head
from tkre.training.params import FinetuningParams
from tkre.training.prediction import predict
from tkre.training.rows import LabelledRow, swapped
from tkre.training.run import use_bf16

OPTIMISATION = {"learning_rate": 2e-3, "head_learning_rate": 1e-2, "batch_size": 8}
MARKERS = FinetuningParams(optimisation=OPTIMISATION, presentations=100)
SPANS = FinetuningParams(
    head="spans", layers=(1, 2), swap=True, both_directions=True, alignment={"weight": 0.5},
    trigger_weight=0.2, probe_start=0.1, average=0.9, presentations=60,
    optimisation=OPTIMISATION,
)  # fmt: skip


def run(backbone, rows, schema, params, validation=None, seed=1):
    return finetune(
        backbone, rows, rows if validation is None else validation, schema, params,
        data="d", seed=seed, description="toy",
    )  # fmt: skip


def accuracy(checkpoint, rows, schema):
    probabilities = predict(checkpoint.model, checkpoint.tokenizer, rows)
    guessed = np.array([schema.names[n] for n in probabilities.argmax(1)])
    return (guessed == [r.relation for r in rows]).mean()


@pytest.mark.parametrize("params", [MARKERS, SPANS], ids=["markers", "spans"])
def test_a_classifier_learns_its_rows(backbone, toy_rows, schema, params):
    classifier, losses = run(backbone, toy_rows, schema, params)
    assert accuracy(classifier, toy_rows, schema) >= 0.9
    assert losses["validation_f1"].max() >= 90
    assert classifier.model.config.label2id == {n: i for i, n in enumerate(schema.names)}
    [step] = classifier.lineage.steps
    assert step.started_from == backbone.lineage.origin
    assert step.weights == weights_digest(classifier.model)
    assert weights_digest(backbone.model) == backbone.lineage.origin  # not changed
    parts = {"classification"} | ({"alignment", "triggers"} if params is SPANS else set())
    assert parts <= set(losses)


def test_equal_seeds_are_equal_and_the_best_epoch_is_kept(backbone, toy_rows, schema):
    first, losses = run(backbone, toy_rows, schema, SPANS)
    again, _ = run(backbone, toy_rows, schema, SPANS)
    assert first.lineage.weights == again.lineage.weights
    bf16 = use_bf16(SPANS.optimisation.precision)
    probabilities = predict(first.model, first.tokenizer, toy_rows, bf16=bf16)
    gold = [schema.names.index(r.relation) for r in toy_rows]
    loss = -np.log(probabilities[np.arange(len(gold)), gold]).mean()
    scores = losses.dropna(subset="validation_f1")
    best = scores[scores["validation_f1"] == scores["validation_f1"].max()]
    assert loss == pytest.approx(best["validation_loss"].min(), rel=1e-3)


def test_without_validation_rows_the_last_epoch_is_kept(backbone, toy_rows, schema):
    classifier, losses = run(backbone, toy_rows, schema, MARKERS, validation=[])
    assert "validation_f1" not in losses
    assert accuracy(classifier, toy_rows, schema) >= 0.9


def test_swapped_rows(toy_rows, schema):
    turned = swapped(toy_rows, schema)
    assert len(turned) == len(toy_rows)
    for row, other in zip(toy_rows, turned, strict=True):
        assert (row.head, row.tail_type) == (other.tail, other.head_type)
        assert other.relation == schema.inverse_of(row.relation)
    lives_in = schema.relations["lives_in"].model_copy(update={"inverse": None})
    one_way = schema.model_copy(update={"relations": schema.relations | {"lives_in": lives_in}})
    assert len(swapped(toy_rows, one_way)) == len(toy_rows) - 5


def test_the_probe_already_knows_the_rows_before_any_training(backbone, toy_rows, schema):
    from tkre.modeling.marking import encode_instances

    torch.manual_seed(0)
    model = build_classifier(backbone, schema, SPANS)
    encoded = encode_instances(toy_rows, backbone.tokenizer, max_length=64, typed=True)
    labels = [schema.names.index(r.relation) for r in toy_rows]
    start_span_head(model, encoded, labels, 1.0)
    guessed = predict(model, backbone.tokenizer, toy_rows).argmax(axis=1)
    assert (guessed == labels).mean() >= 0.9


def test_a_relation_without_rows_is_unlikely_not_impossible(backbone, toy_rows, schema):
    rows = [r for r in toy_rows if r.relation != "knows"]
    classifier, _ = run(backbone, rows, schema, SPANS)
    probabilities = predict(classifier.model, classifier.tokenizer, rows)
    assert np.isfinite(probabilities).all()
    assert probabilities[:, schema.names.index("knows")].mean() < 0.25


def test_rows_know_their_length(toy_rows, backbone):
    from tkre.modeling.marking import encode_instances

    [encoded] = encode_instances(toy_rows[:1], backbone.tokenizer, max_length=64, typed=True)
    assert len(LabelledRow(encoded, 0)) == len(encoded.input_ids)
