"""Where something has just been trained, for its lineage."""

from __future__ import annotations

from typing import Literal

import torch

from tkre.environment import Environment, environment
from tkre.modeling.precision import use_bf16


def surroundings(precision: Literal["auto", "fp32", "bf16"]) -> Environment:
    """The device, the threads and the precision of this process, and where it runs.

    Args:
        precision: As the parameters of the training name it.
    """
    device = "cpu"
    if torch.cuda.is_available():
        device = torch.cuda.get_device_name()
    elif torch.backends.mps.is_available():
        device = "mps"
    used = "bf16" if use_bf16(precision) else "fp32"
    return environment(device, torch.get_num_threads(), used)
