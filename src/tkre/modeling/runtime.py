"""Device, precision and attention masks of models, in training and in scoring alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from tkre.modeling.params import Precision


def device() -> torch.device:
    """The first visible CUDA device, else the CPU.

    Other accelerators are not used: the project is not tested on any, and Apple's has no doubles,
    in which probabilities are computed.
    """
    return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


@contextmanager
def on_device(model: PreTrainedModel) -> Iterator[None]:
    """Moves a model to the device, and back afterwards.

    Checkpoints stay in main memory, so that the GPU holds only models that compute.
    """
    before = model.device
    model.to(device())
    try:
        yield
    finally:
        model.to(before)


def to_tensors(
    batch: Mapping[str, npt.NDArray[Any]], device: torch.device | None = None
) -> dict[str, Tensor]:
    """The arrays of a batch as tensors.

    Args:
        batch: Arrays by argument name.
        device: Device of the tensors; None is the CPU, without a copy.
    """
    return {name: torch.from_numpy(array).to(device) for name, array in batch.items()}


def use_bf16(precision: Precision) -> bool:
    """Whether a precision means bf16 on this machine.

    ``auto`` means bf16 where the GPU or CPU multiplies in bf16; elsewhere bf16 is emulated, and
    slower than fp32. Weights, optimiser and losses stay in fp32.
    """
    if precision == "auto":
        if torch.cuda.is_available():
            return torch.cuda.is_bf16_supported(including_emulation=False)
        capabilities: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
        return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return precision == "bf16"


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """A context in which matrix products on a device have a precision.

    Args:
        device: Device of the products.
        precision: See ``use_bf16``.
    """
    return torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(precision))


def mask_for(model: Any, mask_BT: Tensor) -> Tensor:
    """The mask to call a Hugging Face encoder with.

    For B x T flags ``transformers`` tests whether all are set, which waits for a GPU in every pass.
    A mask of four dimensions is used unchanged.

    Args:
        model: The encoder; another attention than torch's fused one may want other values.
        mask_BT: 1 for tokens, 0 for padding.

    Returns:
        On a GPU, B x 1 x 1 x T flags, where the model's attention is torch's; else ``mask_BT``.
    """
    if mask_BT.device.type != "cuda" or model.config._attn_implementation != "sdpa":
        return mask_BT
    return mask_BT[:, None, None, :].bool()
