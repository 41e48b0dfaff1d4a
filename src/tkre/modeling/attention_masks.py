"""Attention masks in the form that an encoder takes without looking into them."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def mask_for(model: Any, mask_BT: Tensor) -> Tensor:
    """The mask to call a Hugging Face encoder with.

    Given B x T flags, ``transformers`` asks whether all are set, to do without a mask then: that
    question waits for a GPU in every pass. It takes a mask of four dimensions as it is.

    Args:
        model: The encoder; another attention than torch's fused one may want other values.
        mask_BT: 1 for tokens, 0 for padding.

    Returns:
        On a GPU, B x 1 x 1 x T flags, where the model's attention is torch's; else ``mask_BT``.
    """
    if mask_BT.device.type != "cuda" or model.config._attn_implementation != "sdpa":
        return mask_BT
    return mask_BT[:, None, None, :].bool()
