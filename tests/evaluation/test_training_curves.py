from __future__ import annotations

import pandas as pd

from tkre.evaluation.training_curves import TrainedCell, training_curves

GROUP_KEYS = {"corpus": "toy", "shots": 8, "synthetic": 1, "noise": 0, "filtered": False,
         "llm": "default"}  # fmt: skip


def cell(variant, seed, mslm, scores):
    pretraining = {"mslm": pd.DataFrame({"epoch": [1, 1, 2], "step": [1, 2, 3], "mslm": mslm})}
    finetuning = pd.DataFrame({"epoch": [1, 1, 2, 2], "step": range(4), "loss": 1.0,
                               "validation_f1": [None, scores[0], None, scores[1]]})  # fmt: skip
    return TrainedCell(GROUP_KEYS | {"variant": variant, "seed": seed}, pretraining, finetuning)


def test_losses_are_averaged_over_an_epoch_and_scores_are_those_after_it():
    table = training_curves([cell("v", 13, [4.0, 2.0, 1.0], [50, 60])])
    values = table.set_index(["stage", "epoch"])["value"]
    assert values.loc["mslm"].tolist() == [3, 1]
    assert values.loc["fine-tuning"].tolist() == [50, 60]


def test_a_cell_that_was_not_trained_has_no_row():
    untrained = TrainedCell(
        GROUP_KEYS | {"variant": "v", "seed": 1}, {}, pd.DataFrame(columns=["epoch"])
    )
    table = training_curves([untrained])
    assert table.empty
