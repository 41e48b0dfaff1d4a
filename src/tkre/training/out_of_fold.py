"""Labels for annotated rows by classifiers that were not trained on them (cross-fitting)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tkre.core.instance import Instance
from tkre.core.text import sentence_rank
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.runtime import on_device
from tkre.training.inference import predict
from tkre.training.scoring import Probabilities

Fit = Callable[[list[Instance], list[Instance], str], Checkpoint]


def predict_out_of_fold(
    fit: Fit, annotated: Sequence[Instance], relations: int, *, folds: int, seed: int
) -> Probabilities:
    """Labels each fold of the sentences by a classifier that trains on the other folds.

    All pairs of a sentence are in one fold, which depends on the sentence and the seed alone.

    Args:
        fit: Trains a classifier on annotated rows, with further ones to choose the epoch; its last
            argument names the fold.
        annotated: N annotated rows.
        relations: R, number of the relations.
        folds: Number of folds.
        seed: Seed of the folds.

    Returns:
        N x R probabilities, with the prior of natural text of the classifier of the fold.
    """
    probabilities_NR = np.zeros((len(annotated), relations))
    fold_N = np.array([int(folds * sentence_rank(row.text, seed)) for row in annotated])
    for fold in range(folds):
        held = [row for row, its in zip(annotated, fold_N, strict=True) if its == fold]
        if not held:
            continue
        others = [row for row, its in zip(annotated, fold_N, strict=True) if its != fold]
        classifier = fit(others, held, f"fold {fold + 1} of {folds}")
        with on_device(classifier.model):
            probabilities_NR[fold_N == fold] = predict(
                classifier.model, classifier.tokenizer, held, natural=True
            )
    return probabilities_NR
