"""Which precision matrix products have on this machine, in training and in scoring alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch

Precision = Literal["auto", "fp32", "bf16"]


def use_bf16(precision: Precision) -> bool:
    """Whether a precision means bf16 on this machine.

    ``auto`` does where the hardware multiplies in bf16, GPU or CPU; elsewhere it is emulated, and
    slower than fp32. Weights, optimiser and losses stay in fp32.
    """
    if precision == "auto":
        if torch.cuda.is_available():
            return torch.cuda.is_bf16_supported(including_emulation=False)
        able: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(able.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return precision == "bf16"


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """A context in which matrix products on a device have the precision.

    Args:
        device: Where they are computed.
        precision: As for ``use_bf16``.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(precision))
