from __future__ import annotations

import numpy as np
import pytest
import torch

from tkre.core.provenance import LineageError
from tkre.generation.texts import knowledge_texts
from tkre.modeling.checkpoint import weights_digest
from tkre.modeling.params import MaskingParams
from tkre.modeling.span_masking import RELATION, encode_texts
from tkre.training.pretraining import other_spans, pretrain
from tkre.training.stages import PretrainingParams

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
