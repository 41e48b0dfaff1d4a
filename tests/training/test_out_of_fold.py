from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.test_finetuning import MARKERS, natural
from tkre.core.cells import Cell, KShotSample
from tkre.core.provenance import instances_digest
from tkre.pipelines.finetuning import gpu_nodes
from tkre.pipelines.finetuning.gpu_nodes import finetune_classifier
from tkre.training.finetuning import finetune
from tkre.training.inference import predict
from tkre.training.out_of_fold import predict_out_of_fold

SHORT = MARKERS.model_copy(
    update={"annotated": True, "text_priors": True, "samples_per_relation": 1, "min_epochs": 1,
            "folds": 2}
)  # fmt: skip


@pytest.fixture(scope="module")
def annotated(toy_rows):
    """Two pairs of each sentence, far apart."""
    rows = natural(toy_rows, [str(row.relation) for row in toy_rows])
    return [*rows, *(replace(row.inverted(), id=f"{row.id}/other") for row in rows)]


def test_no_classifier_labels_a_sentence_that_it_has_trained_on(
    annotated, toy_rows, schema, backbone
):
    seen = []

    def fit(rows, held, fold):
        seen.append(({row.text for row in rows}, {row.text for row in held}, fold))
        return finetune(
            backbone, [*toy_rows, *rows], [], schema, SHORT, data="", seed=1, description=fold
        )[0]

    found = predict_out_of_fold(fit, annotated, len(schema.names), folds=3, seed=13)
    assert [fold for _, _, fold in seen] == ["fold 1 of 3", "fold 2 of 3", "fold 3 of 3"]
    assert all(not trained & held for trained, held, _ in seen)
    assert set.union(*(held for _, held, _ in seen)) == {row.text for row in annotated}
    assert found.sum(axis=1) == pytest.approx(1)
    assert len({tuple(row) for row in found.round(6)}) > 1


def test_a_fold_without_a_sentence_is_left_out(annotated, toy_rows, schema, backbone):
    model = finetune(
        backbone, [*toy_rows, *annotated], [], schema, SHORT, data="", seed=1, description=""
    )[0]
    one = [row for row in annotated if row.text == annotated[0].text]
    folds = []

    def fit(rows, held, fold):
        folds.append((rows, held))
        return model

    found = predict_out_of_fold(fit, one, len(schema.names), folds=50, seed=13)
    assert folds == [([], one)]
    assert np.array_equal(found, predict(model.model, model.tokenizer, one, natural=True))


@pytest.mark.parametrize("chosen", ["in_order", "diverse"])
def test_all_annotated_rows_train_in_the_end(annotated, toy_rows, schema, backbone, chosen):
    cell = Cell(KShotSample("toy", 8, 13, annotated=len(annotated), chosen=chosen), "v")
    rows = [*toy_rows, *annotated]
    _, _, lineage, *more = finetune_classifier(backbone, rows, toy_rows, schema, SHORT, cell)
    assert lineage.steps[-1].data == instances_digest(rows)
    assert len(more) == (chosen == "in_order")
    for frame in more:
        assert frame["id"].tolist() == [row.id for row in annotated]
        assert frame["gold"].tolist() == [row.relation for row in annotated]
        assert f"p.{schema.names[0]}" in frame


def test_the_time_of_training_counts_that_of_the_folds(
    annotated, toy_rows, schema, backbone, monkeypatch
):
    clock = iter([1000.0, 4600.0])  # before the folds and after them
    monkeypatch.setattr(gpu_nodes, "perf_counter", lambda: next(clock))
    cell = Cell(KShotSample("toy", 8, 13, annotated=len(annotated)), "v")
    rows = [*toy_rows, *annotated]
    classifier, _, lineage, _ = finetune_classifier(backbone, rows, toy_rows, schema, SHORT, cell)
    assert classifier.lineage == lineage
    assert 3600 < lineage.seconds < 4600
