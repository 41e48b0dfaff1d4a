from __future__ import annotations

import copy

import numpy as np
import pytest
from torch import nn

from tests.paths import machine_paths
from tkre.core.provenance import Lineage
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.classifier import RelationClassifier
from tkre.training.batching import LabelledRow, inverted_rows
from tkre.training.finetuning import finetune
from tkre.training.inference import predict
from tkre.training.params import FinetuningParams

OPTIMISATION = {"learning_rate": 2e-3, "head_learning_rate": 1e-2, "batch_size": 8}
MARKERS = FinetuningParams(optimisation=OPTIMISATION, samples_per_relation=100)
SPANS = FinetuningParams(
    head="spans", layers=(1, 2), add_inverted=True, both_directions=True, alignment={"weight": 0.5},
    trigger_weight=0.2, probe_start=0.1, average=0.9, samples_per_relation=60,
    optimisation=OPTIMISATION,
)  # fmt: skip
PROMPT = FinetuningParams(
    head="prompt",
    samples_per_relation=100,
    both_directions=True,
    add_inverted=True,
    optimisation=OPTIMISATION,
)
PROTOTYPES = FinetuningParams(
    head="prototypes",
    samples_per_relation=100,
    alignment={"weight": 0.1},
    optimisation=OPTIMISATION,
)
VIRTUAL_WORDS = FinetuningParams(
    head="virtual_words",
    samples_per_relation=100,
    both_directions=True,
    add_inverted=True,
    optimisation=OPTIMISATION,
)
TRAINED = {
    "markers": MARKERS, "spans": SPANS, "prompt": PROMPT, "virtual_words": VIRTUAL_WORDS,
    "prototypes": PROTOTYPES,
}  # fmt: skip


def untrained(head):
    return FinetuningParams(
        head=head, samples_per_relation=0, min_epochs=0, type_guided=True, optimisation=OPTIMISATION
    )


def run(backbone, rows, schema, params, validation=None, seed=1):
    return finetune(
        backbone, rows, rows if validation is None else validation, schema, params,
        data="d", seed=seed, description="toy",
    )  # fmt: skip


def accuracy(checkpoint, rows, schema):
    probabilities = predict(checkpoint.model, checkpoint.tokenizer, rows)
    guessed = np.array([schema.names[n] for n in probabilities.argmax(1)])
    return (guessed == [r.relation for r in rows]).mean()


@pytest.mark.parametrize("head", ["prompt", "prototypes"])
def test_what_is_saved_names_no_place_of_the_machine_it_was_trained_on(
    backbone, toy_rows, schema, head, tmp_path
):
    assert str(backbone.model.name_or_path).startswith("/")
    checkpoint, _ = run(backbone, toy_rows, schema, untrained(head))
    checkpoint.save(tmp_path / "new")
    Checkpoint.load(tmp_path / "new", RelationClassifier).save(tmp_path / "again")
    assert machine_paths(tmp_path) == []


@pytest.mark.parametrize("params", TRAINED.values(), ids=TRAINED)
def test_a_classifier_learns_its_rows(backbone, toy_rows, schema, params):
    classifier, losses = run(backbone, toy_rows, schema, params)
    assert accuracy(classifier, toy_rows, schema) >= 0.9
    assert losses["validation_f1"].max() >= 90
    assert classifier.model.config.label2id == {n: i for i, n in enumerate(schema.names)}
    [step] = classifier.lineage.steps
    assert step.started_from == backbone.lineage.origin
    assert step.weights == weights_digest(classifier.model)
    assert weights_digest(backbone.model) == backbone.lineage.origin  # not changed
    parts = {"classification": True, "alignment": params.alignment is not None,
             "triggers": params is SPANS}  # fmt: skip
    assert {name: name in losses for name in parts} == parts


def test_equal_seeds_are_equal_and_the_best_epoch_is_kept(backbone, toy_rows, schema):
    first, losses = run(backbone, toy_rows, schema, SPANS)
    again, _ = run(backbone, toy_rows, schema, SPANS)
    assert first.lineage.weights == again.lineage.weights
    probabilities = predict(first.model, first.tokenizer, toy_rows)
    gold = [schema.names.index(r.relation) for r in toy_rows]
    loss = -np.log(probabilities[np.arange(len(gold)), gold]).mean()
    scores = losses.dropna(subset="validation_f1")
    best = scores[scores["validation_f1"] == scores["validation_f1"].max()]
    # Attention is another one in training: the last digits of probabilities may differ.
    assert loss == pytest.approx(best["validation_loss"].min(), rel=2e-2)


def test_without_validation_rows_the_last_epoch_is_kept(backbone, toy_rows, schema):
    classifier, losses = run(backbone, toy_rows, schema, MARKERS, validation=[])
    assert "validation_f1" not in losses
    assert accuracy(classifier, toy_rows, schema) >= 0.9


@pytest.mark.parametrize("head", ["prompt", "virtual_words", "prototypes"])
@pytest.mark.parametrize("rows", [0, 20])
def test_what_is_not_trained_needs_no_rows(backbone, toy_rows, schema, head, rows, tmp_path):
    params = untrained(head)
    classifier, losses = run(backbone, toy_rows[:rows], schema, params, validation=[])
    assert list(losses.columns) == ["epoch", "step", "loss"] and losses.empty
    theirs = backbone.model.base_model.state_dict()
    ours = classifier.model.encoder.base_model.state_dict()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)
    [step] = classifier.lineage.steps
    assert step.started_from == backbone.lineage.origin
    classifier.save(tmp_path)
    again = Checkpoint.load(tmp_path, RelationClassifier)
    probabilities = predict(classifier.model, classifier.tokenizer, toy_rows)
    assert np.array_equal(predict(again.model, again.tokenizer, toy_rows), probabilities)
    # Guided by the types, a relation of persons is not given to a person and a place.
    persons = [r.relation == "knows" for r in toy_rows]
    assert ((probabilities[:, schema.names.index("knows")] > 0) == persons).all()


def test_training_without_rows_says_what_to_do(backbone, schema):
    with pytest.raises(ValueError, match="no rows to train on: give some shots"):
        run(backbone, [], schema, PROMPT, validation=[])


def test_prompts_start_from_what_the_masked_lm_head_knows(backbone, toy_rows, schema):
    """Pre-training of the masked-LM head is not thrown away: another head, other scores."""
    other = copy.deepcopy(backbone.model)
    nn.init.normal_(other.cls.predictions.transform.dense.weight)
    start = Checkpoint(
        other, backbone.tokenizer, Lineage(backbone="o", origin=weights_digest(other))
    )
    one, two = (run(s, [], schema, untrained("prompt"), [])[0] for s in (backbone, start))
    first, second = (predict(c.model, c.tokenizer, toy_rows) for c in (one, two))
    assert np.abs(first - second).max() > 0.01


def test_inverted_rows(toy_rows, schema):
    inverted = inverted_rows(toy_rows, schema)
    assert len(inverted) == len(toy_rows)
    for row, other in zip(toy_rows, inverted, strict=True):
        assert (row.head, row.tail_type) == (other.tail, other.head_type)
        assert other.relation == schema.inverse_of(row.relation)
    lives_in = schema.relations["lives_in"].model_copy(update={"inverse": None})
    one_way = schema.model_copy(update={"relations": schema.relations | {"lives_in": lives_in}})
    assert len(inverted_rows(toy_rows, one_way)) == len(toy_rows) - 5


def test_a_relation_without_rows_is_unlikely_not_impossible(backbone, toy_rows, schema):
    rows = [r for r in toy_rows if r.relation != "knows"]
    classifier, _ = run(backbone, rows, schema, SPANS)
    probabilities = predict(classifier.model, classifier.tokenizer, rows)
    assert np.isfinite(probabilities).all()
    assert probabilities[:, schema.names.index("knows")].mean() < 0.25


def test_rows_know_their_length(toy_rows, backbone):
    from tkre.modeling.entity_markers import encode_instances

    [encoded] = encode_instances(toy_rows[:1], backbone.tokenizer, max_length=64, typed=True)
    assert len(LabelledRow(encoded, 0)) == len(encoded.input_ids)
