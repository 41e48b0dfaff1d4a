"""Where something has just been trained, for its lineage."""

from __future__ import annotations

from typing import Literal

import torch

from tkre.environment import Environment, environment
from tkre.modeling.device import device
from tkre.modeling.precision import use_bf16


def surroundings(precision: Literal["auto", "fp32", "bf16"]) -> Environment:
    """The device, the threads and the precision of this process, and where it runs.

    Args:
        precision: As the parameters of the training name it.
    """
    name = torch.cuda.get_device_name() if device().type == "cuda" else "cpu"
    used = "bf16" if use_bf16(precision) else "fp32"
    return environment(name, torch.get_num_threads(), used)
