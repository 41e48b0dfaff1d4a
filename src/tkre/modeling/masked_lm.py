"""The masked-LM head of a Hugging Face model, whatever the architecture calls it."""

from __future__ import annotations

from typing import Any

from torch import nn


def masked_lm_head(model: Any) -> nn.Module:
    """The module that makes logits of hidden states.

    Args:
        model: A masked language model.

    Raises:
        ValueError: There is none by any known name.
    """
    for name in ("cls", "lm_head", "predictions", "vocab_projector"):
        if (head := getattr(model, name, None)) is not None:
            return head
    raise ValueError(f"{type(model).__name__} has no masked-LM head that is known here")
