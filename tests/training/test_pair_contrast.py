from __future__ import annotations

import pytest
import torch

from tkre.core.provenance import LineageError
from tkre.training.pretraining import pretrain
from tkre.training.stages import PretrainingParams

PARAMS = PretrainingParams.model_validate(
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


def run(start, rows, schema, seed=1):
    return pretrain(start, rows, schema, PARAMS, "pairs", data="d", seed=seed, description="toy")


@pytest.fixture(scope="module")
def trained(backbone, toy_rows, schema):
    return run(backbone, toy_rows, schema)


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
    lineage.require(origin=backbone.lineage.origin, stages=PARAMS.stages, data={"pairs": "d"})
    other = PARAMS.model_copy(update={"sources": ("support",)})
    with pytest.raises(LineageError, match="settings"):
        lineage.require(origin=backbone.lineage.origin, stages=other.stages, data={"pairs": "d"})


def test_equal_seeds_give_equal_weights_and_others_do_not(backbone, trained, toy_rows, schema):
    runs = [run(backbone, toy_rows, schema, seed)[0] for seed in (1, 2)]
    assert runs[0].lineage.weights == trained[0].lineage.weights != runs[1].lineage.weights


def test_explanations_are_anchors(backbone, trained, toy_rows, schema):
    from dataclasses import replace

    bare = [replace(row, explanation=None) for row in toy_rows]
    without, _ = run(backbone, bare, schema)
    assert without.lineage.weights != trained[0].lineage.weights


def test_nothing_to_learn_from_is_refused(backbone, toy_rows, schema):
    with pytest.raises(ValueError, match="nothing to pre-train on"):
        run(backbone, [], schema)
