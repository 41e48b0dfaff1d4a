from __future__ import annotations

import inspect
from dataclasses import replace

import numpy as np
import pytest
import torch

from tkre.core.errors import UserError
from tkre.core.provenance import LineageError
from tkre.generation.texts import knowledge_texts
from tkre.modeling.checkpoint import weights_digest
from tkre.modeling.params import MaskingParams
from tkre.modeling.span_masking import RELATION, encode_texts
from tkre.training.pretraining import other_spans, pretrain
from tkre.training.stages import PAIRS, STAGES, TEXTS, PretrainingParams, StageParams

OPTIMISATION = {"learning_rate": 3e-3, "head_learning_rate": 1e-2, "batch_size": 8}
PARAMS = PretrainingParams(
    sources=["explanation", "support"],
    mslm={"epochs": 12, "optimisation": OPTIMISATION},
    scl={"epochs": 12, "scl_weight": 1.0, "optimisation": OPTIMISATION},
)


@pytest.fixture(scope="module")
def texts(toy_rows, schema):
    return knowledge_texts(toy_rows, [], schema, PARAMS.sources)


def stage(name, start, texts, schema, params=PARAMS, seed=1):
    return pretrain(start, texts, schema, params, name, data="d", seed=seed, description="toy")


@pytest.fixture(scope="module")
def chain(backbone, texts, schema):
    first, first_losses = stage("mslm", backbone, texts, schema)
    second, second_losses = stage("scl", first, texts, schema)
    return first, second, first_losses, second_losses


def test_both_losses_fall(chain):
    _, _, mslm, scl = chain
    assert list(mslm) == ["epoch", "step", "loss", "mslm"]
    assert mslm["mslm"].iloc[-8:].mean() < 0.8 * mslm["mslm"].iloc[:8].mean()
    assert scl["scl"].iloc[-8:].mean() < 0.6 * scl["scl"].iloc[:8].mean()
    assert np.allclose(scl["loss"], scl["mslm"] + scl["scl"], atol=1e-5)


def test_the_stages_are_chained_and_it_is_recorded(chain, backbone):
    first, second, *_ = chain
    one, two = second.lineage.steps
    assert one.started_from == backbone.lineage.origin == weights_digest(backbone.model)
    assert two.started_from == one.weights == weights_digest(first.model)
    assert two.weights == weights_digest(second.model) != one.weights
    assert (one.stage, two.stage, one.data) == ("mslm", "scl", "d")
    assert one.settings["masking"]["relation"] == 0.8


def test_a_lineage_that_does_not_fit_the_weights_is_refused(chain, backbone, texts, schema):
    from tkre.modeling.checkpoint import Checkpoint

    first, *_ = chain
    stock = Checkpoint(backbone.model, backbone.tokenizer, first.lineage)
    with pytest.raises(LineageError):
        stage("scl", stock, texts, schema)


def test_the_start_is_not_changed_and_equal_seeds_are_equal(backbone, texts, schema, chain):
    assert weights_digest(backbone.model) == backbone.lineage.origin
    again, losses = stage("mslm", backbone, texts, schema)
    assert losses.equals(chain[2])
    assert again.lineage.weights == chain[0].lineage.weights
    other, _ = stage("mslm", backbone, texts, schema, seed=2)
    assert other.lineage.weights != again.lineage.weights


def test_no_epochs_change_nothing(backbone, texts, schema):
    none = PARAMS.model_copy(update={"mslm": PARAMS.mslm.model_copy(update={"epochs": 0})})
    same, losses = stage("mslm", backbone, texts, schema, none)
    assert same is backbone and losses.empty


def test_frozen_embeddings_stay(backbone, texts, schema):
    frozen = PARAMS.mslm.optimisation.model_copy(update={"freeze_embeddings": True})
    params = PARAMS.model_copy(
        update={"mslm": PARAMS.mslm.model_copy(update={"epochs": 1, "optimisation": frozen})}
    )
    trained, _ = stage("mslm", backbone, texts, schema, params)
    before, after = (m.model.get_input_embeddings().weight for m in (backbone, trained))
    assert torch.equal(before, after)
    assert all(p.requires_grad for p in trained.model.parameters())


def test_other_spans_say_nothing_about_the_relation(texts, backbone):
    encoded = encode_texts(texts, backbone.tokenizer, MaskingParams())
    rng, drawn = np.random.default_rng(0), 0
    for text in encoded:
        flags = other_spans(text, 2, rng)
        assert flags.shape == (2, len(text))
        for row in flags:
            assert (text.roles[row] == 0).all() and (text.units[row] >= 0).all()
            if row.any():
                drawn += 1
                places = np.flatnonzero(row)
                assert np.ptp(places) == len(places) - 1  # contiguous
                assert len(places) <= max(1, (text.roles == RELATION).sum())
    assert drawn > 0


PAIRS_PARAMS = PretrainingParams.model_validate(
    {
        "sources": ["explanation", "support"],
        "pairs": {
            "epochs": 6,
            "layers": [1],
            "optimisation": {"learning_rate": 1e-3, "head_learning_rate": 1e-2, "batch_size": 8,
                             "freeze_embeddings": True, "precision": "fp32"},
        },
    }
)  # fmt: skip


def run_pairs(start, rows, schema, seed=1):
    return stage("pairs", start, rows, schema, PAIRS_PARAMS, seed)


@pytest.fixture(scope="module")
def trained(backbone, toy_rows, schema):
    return run_pairs(backbone, toy_rows, schema)


def changed(backbone, trained):
    before, after = (m.model.state_dict() for m in (backbone, trained[0]))
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_pairs_come_nearer_to_what_explains_their_relation(trained):
    losses = trained[1].groupby("epoch")["pairs"].mean()
    assert losses.iloc[-1] < 0.7 * losses.iloc[0]


def test_the_layers_that_are_pooled_learn_and_nothing_else_does(backbone, trained):
    names = changed(backbone, trained)
    assert any(".layer.0." in name for name in names)
    assert not any(".layer.1." in name or "word_embeddings" in name for name in names)
    assert not any(name.startswith("cls") for name in names)


def test_the_stage_is_recorded_and_can_be_required(backbone, trained):
    lineage = trained[0].lineage
    [step] = lineage.steps
    assert (step.stage, step.data, step.started_from) == ("pairs", "d", backbone.lineage.origin)
    lineage.require(origin=backbone.lineage.origin, stages=PAIRS_PARAMS.stages, data={"pairs": "d"})
    other = PAIRS_PARAMS.model_copy(update={"sources": ("support",)})
    with pytest.raises(LineageError, match="settings"):
        lineage.require(origin=backbone.lineage.origin, stages=other.stages, data={"pairs": "d"})


def test_equal_seeds_give_equal_weights_and_others_do_not(backbone, trained, toy_rows, schema):
    runs = [run_pairs(backbone, toy_rows, schema, seed)[0] for seed in (1, 2)]
    assert runs[0].lineage.weights == trained[0].lineage.weights != runs[1].lineage.weights


def test_explanations_are_anchors(backbone, trained, toy_rows, schema):
    bare = [replace(row, explanation=None) for row in toy_rows]
    without, _ = run_pairs(backbone, bare, schema)
    assert without.lineage.weights != trained[0].lineage.weights


def test_nothing_to_learn_from_is_refused(backbone, toy_rows, schema):
    with pytest.raises(UserError, match="nothing to pre-train on"):
        run_pairs(backbone, [], schema)


def test_every_stage_has_its_parameters_its_data_and_its_function():
    prepare = list(inspect.signature(STAGES["mslm"].prepare).parameters)
    for name in STAGES:
        stage = STAGES[name]
        assert issubclass(stage.params, StageParams)
        assert PretrainingParams.model_fields[name].annotation == stage.params | None
        assert stage.reads in (TEXTS, PAIRS) and stage.description and stage.loss
        assert len(inspect.signature(stage.prepare).parameters) == len(prepare)
