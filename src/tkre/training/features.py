"""What a classifier sees of instances: the features that its head classifies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedTokenizerBase

from tkre.modeling.classifier import RelationClassifier
from tkre.records import Instance
from tkre.training.prediction import model_batches


@torch.inference_mode()
def features_of(
    model: RelationClassifier,
    tokenizer: PreTrainedTokenizerBase,
    instances: Sequence[Instance],
) -> npt.NDArray[np.float64] | None:
    """The features of instances, whatever the head.

    Args:
        model: The classifier; it is put into evaluation mode for the pass.
        tokenizer: Its own.
        instances: Their relations are not looked at.

    Returns:
        N x F, rows in the order of the instances; None if there are none, or if the head
        classifies without features.
    """
    encoded = model.encode(instances, tokenizer)
    was_training = model.training
    model.eval()
    rows: dict[int, npt.NDArray[np.float64]] = {}
    try:
        for numbers, batch in model_batches(model, encoded):
            features_BF = model.features(**batch)[0].double().cpu().numpy()
            rows |= dict(zip(numbers, features_BF, strict=True))
    except NotImplementedError:  # what ``Head.features`` says of a head that has none
        return None
    finally:
        model.train(was_training)
    return np.stack([rows[n] for n in range(len(instances))]) if rows else None
