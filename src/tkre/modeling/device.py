"""Where models compute: on the GPU if there is one, else on the CPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import PreTrainedModel


def device() -> torch.device:
    """The first visible CUDA device, else the CPU.

    No other accelerator is taken: nothing here has been run on one, and Apple's has no doubles,
    in which probabilities are computed.
    """
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


@contextmanager
def on_device(model: PreTrainedModel) -> Iterator[None]:
    """Has a model on the device for a while; afterwards it is where it was.

    Checkpoints lie in main memory, so that the GPU holds what computes and nothing else.
    """
    before = model.device
    model.to(device())
    try:
        yield
    finally:
        model.to(before)
