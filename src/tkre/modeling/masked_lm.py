"""The masked-LM head of a Hugging Face model, whatever the architecture calls it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F


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


def before_vocabulary(model: Any, states: Tensor) -> Tensor:
    """Hidden states as the masked-LM head compares them with the embeddings of words.

    Args:
        model: A masked language model of the BERT or RoBERTa kind.
        states: ... x H, of the last layer.

    Returns:
        ... x H.
    """
    head: Any = masked_lm_head(model)
    if hasattr(head, "predictions"):  # BERT
        transformed: Tensor = head.predictions.transform(states)
        return transformed
    normalised: Tensor = head.layer_norm(F.gelu(head.dense(states)))
    return normalised
