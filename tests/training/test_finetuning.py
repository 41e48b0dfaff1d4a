from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import nn

from tests.conftest import instance
from tests.paths import machine_paths
from tkre.core.cells import Cell, KShotSample
from tkre.core.errors import UserError
from tkre.core.provenance import Lineage
from tkre.generation.annotation import Annotation
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.classifier import RelationClassifier
from tkre.pipelines.finetuning.gpu_nodes import finetune_classifier
from tkre.training.batching import collate_weighted, labelled_rows
from tkre.training.finetuning import (
    ClassifierObjective,
    EpochSelection,
    LinearProbe,
    build_classifier,
    finetune,
    head_start,
    label_shares,
    natural_prior,
)
from tkre.training.inference import features_of_encoded, predict
from tkre.training.params import FinetuningParams
from tkre.training.trainer import AveragedWeights

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


@pytest.mark.parametrize("head_first", [False, True])
def test_the_order_is_no_feature_where_it_is_always_the_same(
    backbone, toy_rows, schema, head_first
):
    of_the_order = {"by_order": True, "part_dropout": 0.5}
    params = SPANS.model_copy(update=of_the_order | {"samples_per_relation": 1, "min_epochs": 1})
    found, *_ = finetune_classifier(
        backbone, toy_rows, [], schema, params, Cell(KShotSample("toy", 8, 13), "v"),
        head_first=head_first,
    )  # fmt: skip
    [step] = found.lineage.steps
    assert of_the_order.items() <= step.settings.items()
    assert step.chosen == ({"by_order": False, "part_dropout": 0.0} if head_first else {})
    config = found.model.config
    assert (config.by_order, config.part_dropout) == ((False, 0) if head_first else (True, 0.5))


@pytest.mark.parametrize("head", ["prompt", "prototypes"])
def test_saved_files_hold_no_path_of_the_machine(backbone, toy_rows, schema, head, tmp_path):
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
def test_untrained_heads_need_no_rows(backbone, toy_rows, schema, head, rows, tmp_path):
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


def test_training_without_rows_is_refused(backbone, schema):
    with pytest.raises(UserError, match="no rows to train on: give some shots"):
        run(backbone, [], schema, PROMPT, validation=[])


def test_prompts_start_from_the_masked_lm_head(backbone, toy_rows, schema):
    """Pre-training of the masked-LM head is not thrown away: another head, other scores."""
    other = copy.deepcopy(backbone.model)
    nn.init.normal_(other.cls.predictions.transform.dense.weight)
    start = Checkpoint(
        other, backbone.tokenizer, Lineage(backbone="o", origin=weights_digest(other))
    )
    one, two = (run(s, [], schema, untrained("prompt"), [])[0] for s in (backbone, start))
    first, second = (predict(c.model, c.tokenizer, toy_rows) for c in (one, two))
    assert np.abs(first - second).max() > 0.01


def test_a_relation_without_rows_is_unlikely_not_impossible(backbone, toy_rows, schema):
    rows = [r for r in toy_rows if r.relation != "knows"]
    classifier, _ = run(backbone, rows, schema, SPANS)
    probabilities = predict(classifier.model, classifier.tokenizer, rows)
    assert np.isfinite(probabilities).all()
    assert probabilities[:, schema.names.index("knows")].mean() < 0.25


def initialised(backbone, rows, schema, params):
    torch.manual_seed(0)
    model = build_classifier(backbone, schema, params)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    labelled = labelled_rows(model, backbone.tokenizer, rows, schema, add_inverted=False)
    model.head.initialise(head_start(model, backbone, schema, labelled, params))
    return model, before, [row.label for row in labelled]


def test_the_probe_separates_the_rows_before_training(backbone, toy_rows, schema):
    params = SPANS.model_copy(update={"probe_start": 1.0})
    model, _, labels = initialised(backbone, toy_rows, schema, params)
    guessed = predict(model, backbone.tokenizer, toy_rows).argmax(axis=1)
    assert (guessed == labels).mean() >= 0.9


def test_a_head_of_markers_keeps_its_random_start(backbone, toy_rows, schema):
    params = FinetuningParams(optimisation={"learning_rate": 1e-3, "head_learning_rate": 1e-3})
    model, before, _ = initialised(backbone, toy_rows, schema, params)
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_two_relations_start_from_a_probe_too(backbone, toy_rows, schema):
    """scikit-learn gives one row of coefficients for two classes: p = sigmoid(z)."""
    names = schema.names[:2]
    rows = [row for row in toy_rows if row.relation in names]
    params = SPANS.model_copy(update={"probe_start": 1.0})
    model, _, labels = initialised(backbone, rows, schema, params)
    encoded = model.encode(rows, backbone.tokenizer)
    features = features_of_encoded(model, encoded)
    probe = LinearProbe(C=1.0, max_iter=500).fit(features.numpy(), labels)
    logits = model.head.classify(features)[:, [schema.names.index(name) for name in names]]
    expected = probe.predict_proba(features.numpy())
    assert np.allclose(
        logits.softmax(dim=-1).detach(), expected[:, np.argsort(probe.classes_)], atol=1e-4
    )


def test_one_relation_has_no_probe_and_it_is_logged(backbone, toy_rows, schema, caplog):
    rows = [row for row in toy_rows if row.relation == schema.names[0]]
    model, before, _ = initialised(backbone, rows, schema, SPANS)
    assert torch.equal(model.head.output.weight, before["head.output.weight"])
    assert "without a probe" in caplog.text


# 100 rows at 80 %: the standard error is 4 points.
ROWS = [instance("<head>a</head> met <tail>b</tail>")] * 100


def kept_epoch(scores, rule, monkeypatch, averaged=False):
    """Which epoch is kept of a training whose only weight is the number of its epoch."""
    figures = iter(scores)
    monkeypatch.setattr(
        EpochSelection, "_scores",
        lambda self: dict(zip(("validation_f1", "validation_loss"), next(figures), strict=True)),
    )  # fmt: skip
    model = nn.Linear(1, 1, bias=False)
    average = AveragedWeights(model, 0.5) if averaged else None
    params = MARKERS.model_copy(update={"keep_epoch": rule, "validations": 4})
    selection = EpochSelection(model, average, None, ROWS, None, params, epochs=4)
    for epoch in range(1, len(scores) + 1):
        nn.init.constant_(model.weight, epoch)
        if average:
            average.weights["weight"] = torch.full((1, 1), epoch + 0.5)
        assert "validation_f1" in selection.epoch_ended(epoch, model)
        assert model.weight.item() == epoch  # training goes on from its own weights
    return selection.kept_weights["weight"].item()


@pytest.mark.parametrize(
    ("scores", "best", "within_error"),
    [
        ([(50, 1), (80, 1), (70, 1)], 2, 2),
        ([(80, 1), (75, 1), (77, 1), (75.9, 1)], 1, 3),  # 76 is the least within reach
        ([(80, 1), (80, 2), (80, 0.5)], 3, 3),
        ([(80, 1), (80, 2)], 1, 2),
        ([(70, 1), (69, 1), (90, 1), (69, 1)], 3, 3),  # what was near the best is not any more
        ([(0, 1), (0, 1)], 2, 2),
    ],
)
def test_which_epoch_is_kept(scores, best, within_error, monkeypatch):
    assert kept_epoch(scores, "best", monkeypatch) == best
    assert kept_epoch(scores, "one_standard_error", monkeypatch) == within_error


def test_the_average_is_kept(monkeypatch):
    assert kept_epoch([(80, 1), (70, 1)], "best", monkeypatch, averaged=True) == 1.5


def test_few_of_many_epochs_are_validated_and_the_last_one_is(monkeypatch):
    monkeypatch.setattr(EpochSelection, "_scores", lambda self: {"validation_f1": 50.0})
    model = nn.Linear(1, 1, bias=False)
    for epochs, expected in ((9, [3, 6, 9]), (10, [4, 7, 10]), (2, [1, 2])):
        params = MARKERS.model_copy(update={"validations": 3})
        selection = EpochSelection(model, None, None, ROWS, None, params, epochs)
        scored = [e for e in range(1, epochs + 1) if selection.epoch_ended(e, model)]
        assert scored == expected


def fitted(threads: int) -> LinearProbe:
    generator = np.random.default_rng(3)
    features = generator.normal(size=(600, 800)).astype(np.float32)
    labels = generator.integers(0, 12, size=600)
    with threadpool_limits(threads, user_api="blas"):
        return LinearProbe(C=0.05, max_iter=60).fit(features, labels)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_another_number_of_threads_gives_the_same_bits():
    one, two = fitted(1), fitted(2)
    assert np.array_equal(one.coef_, two.coef_)
    assert np.array_equal(one.intercept_, two.intercept_)
    rows = np.random.default_rng(4).normal(size=(500, 800))
    with threadpool_limits(2, user_api="blas"):
        many = one.predict_proba(rows)
    with threadpool_limits(1, user_api="blas"):
        assert np.array_equal(one.predict_proba(rows), many)


def natural(rows, labels):
    """Copies of rows as annotated ones with other labels."""
    return [
        replace(row, id=f"annotation/toy/{n}", relation=label)
        for n, (row, label) in enumerate(zip(rows, labels, strict=False))
    ]


def test_shares_of_labels_by_kind_of_text(toy_rows, schema, backbone):
    model = build_classifier(backbone, schema, MARKERS)
    none = schema.negative
    rows = [*toy_rows[:2], *natural(toy_rows, [none] * 7 + ["knows"])]
    labelled = labelled_rows(
        model, backbone.tokenizer, rows, schema, add_inverted=False,
        weights={"annotation/toy/0": 0.5},
    )  # fmt: skip
    shares = label_shares(labelled, len(schema.names))
    assert shares.sum(axis=1) == pytest.approx(1)
    place = schema.names.index(none)
    # One row of each label is added; one of the negative rows counts half.
    assert shares[1, place] == pytest.approx((6.5 + 1) / (7.5 + len(schema.names)))
    assert shares[0, schema.names.index("lives_in")] > shares[1, schema.names.index("lives_in")]
    prior = natural_prior(rows, schema)
    assert prior[none] == pytest.approx(8 / (8 + len(schema.names)))
    weighted = natural_prior(rows, schema, {"annotation/toy/0": 0.5})
    assert list(weighted.values()) == pytest.approx(shares[1].tolist())
    assert natural_prior(toy_rows, schema) == {}


def test_the_loss_is_that_of_shifted_logits_and_weighted_rows(toy_rows, schema, backbone):
    torch.manual_seed(0)
    model = build_classifier(backbone, schema, MARKERS).eval()
    rows = [*toy_rows[:3], *natural(toy_rows[3:6], ["knows"] * 3)]
    labelled = labelled_rows(
        model, backbone.tokenizer, rows, schema, add_inverted=False,
        weights={"annotation/toy/0": 0.25},
    )  # fmt: skip
    priors = label_shares(labelled, len(schema.names))
    batch = {n: torch.as_tensor(a) for n, a in collate_weighted(labelled, padding=0).items()}
    given = {n: a for n, a in batch.items() if n not in ("labels", "weights", "natural")}
    with torch.no_grad():
        logits = model(**given).logits.double().numpy()
        loss, _ = ClassifierObjective(model, None, MARKERS, priors, weighted=True)(**batch)
        plain, _ = ClassifierObjective(model, None, MARKERS, priors)(**batch)
    shifted = logits + np.log(priors[[0, 0, 0, 1, 1, 1]])
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    losses = -logs[np.arange(6), [row.label for row in labelled]]
    assert float(loss) == pytest.approx((losses * [1, 1, 1, 0.25, 1, 1]).mean(), rel=1e-4)
    assert float(plain) == pytest.approx(losses.mean(), rel=1e-4)


def test_negatives_of_natural_text_do_not_spoil_balanced_text(toy_rows, schema, backbone):
    none = schema.negative
    place = schema.names.index(none)
    positive = [row for row in toy_rows if row.relation != none]
    negatives = natural([row for row in toy_rows if row.relation == none] * 12, [none] * 100)

    def negative_shares(text_priors):
        params = MARKERS.model_copy(update={"annotated": True, "text_priors": text_priors})
        found, _ = finetune(
            backbone, [*toy_rows, *negatives], [], schema, params,
            data="", seed=1, description="test",
        )  # fmt: skip
        model = found.model
        return [predict(model, found.tokenizer, positive, natural=n)[:, place].mean()
                for n in (False, True)], model.config.natural_prior  # fmt: skip

    (balanced, in_natural_text), prior = negative_shares(text_priors=True)
    (added, same), no_prior = negative_shares(text_priors=False)
    assert prior[none] > 0.7 and no_prior == {}
    assert balanced < 0.8 * added and in_natural_text > balanced + 0.1
    assert same == added


@pytest.mark.parametrize("chosen", ["in_order", "uncertain"])
def test_the_prior_is_that_of_rows_drawn_at_random(toy_rows, schema, backbone, chosen):
    none = schema.negative
    params = MARKERS.model_copy(
        update={"annotated": True, "text_priors": True, "samples_per_relation": 1, "min_epochs": 1}
    )
    found, _, _ = finetune_classifier(
        backbone, [*toy_rows, *natural(toy_rows, ["knows"] * 8)], [], schema, params,
        Cell(KShotSample("toy", 8, 13, annotated=14, chosen=chosen), "v"),
        [Annotation(row, 1.0) for row in natural(toy_rows, [none] * 6)],
    )  # fmt: skip
    prior = found.model.config.natural_prior
    assert max(prior, key=prior.get) == ("knows" if chosen == "in_order" else none)
