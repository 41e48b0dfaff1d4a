"""The backbones that are measured: the demo's, or random weights in the shape of a larger one."""

from __future__ import annotations

from typing import Any

import torch

from tkre.core.provenance import Lineage
from tkre.modeling.checkpoint import Checkpoint, weights_digest

SHAPES = ("minilm", "roberta-large")
SEED = 13


def in_shape(backbone: Checkpoint, shape: str) -> Checkpoint:
    """The demo's backbone in another shape; it keeps its tokenizer.

    Args:
        backbone: The demo's.
        shape: One of ``SHAPES``.
    """
    if shape == "minilm":
        return backbone
    model = roberta_large()
    return Checkpoint(
        model, backbone.tokenizer, Lineage(backbone=shape, origin=weights_digest(model))
    )


def roberta_large() -> Any:
    """Random weights in the shape of ``roberta-large``; their speed is that of trained ones."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    torch.manual_seed(SEED)
    return RobertaForMaskedLM(
        RobertaConfig(
            vocab_size=50265, hidden_size=1024, num_hidden_layers=24, num_attention_heads=16,
            intermediate_size=4096, max_position_embeddings=514, pad_token_id=1,
        )
    )  # fmt: skip
