"""Backbones: Hugging Face masked language models, and their masked-LM heads."""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModelForMaskedLM, AutoTokenizer, PreTrainedModel

from tkre.core.errors import enumerated
from tkre.core.provenance import Lineage
from tkre.modeling.checkpoint import Checkpoint, quiet_transformers, weights_digest
from tkre.modeling.weights import WeightsError, locate, verify

logger = logging.getLogger(__name__)


def masked_lm_head(model: Any) -> nn.Module:
    """The module of a masked language model that computes logits from hidden states.

    Raises:
        WeightsError: The model has no module of a known name.
    """
    for name in ("cls", "lm_head", "predictions", "vocab_projector"):
        if (head := getattr(model, name, None)) is not None:
            return head
    raise WeightsError(f"{type(model).__name__} has no masked-LM head of a known name")


def before_vocabulary(model: Any, states: Tensor) -> Tensor:
    """Hidden states as the masked-LM head compares them with the embeddings of words.

    Args:
        model: A masked language model of the BERT or RoBERTa kind.
        states: ... x H states of the last layer.

    Returns:
        ... x H.
    """
    head: Any = masked_lm_head(model)
    if hasattr(head, "predictions"):  # BERT
        transformed: Tensor = head.predictions.transform(states)
        return transformed
    normalised: Tensor = head.layer_norm(F.gelu(head.dense(states)))
    return normalised


def load_backbone(name: str, source: str, sha256: str | None) -> Checkpoint:
    """A published masked language model; it gets a masked-LM head if it has none.

    Args:
        name: Name of the backbone in the catalog.
        source: Source of its weights (``weights.locate``).
        sha256: Digest of its weights file, or None.

    Raises:
        WeightsError: The weights are missing or not the expected ones, or its tokenizer is not a
            fast one or has no mask token.
    """
    verify(source, sha256)
    path = locate(source)
    with quiet_transformers():
        model, report = AutoModelForMaskedLM.from_pretrained(path, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(path)
    if not tokenizer.is_fast or tokenizer.mask_token_id is None:
        raise WeightsError(f"{source}: a fast tokenizer with a mask token is needed")
    missing = set(report["missing_keys"])
    if missing:
        _start_head(model, missing)
        logger.info("%s has no masked-LM head of its own: one was tied to its embeddings", name)
    model.eval()
    return Checkpoint(model, tokenizer, Lineage(backbone=name, origin=weights_digest(model)))


def _start_head(model: PreTrainedModel, missing: set[str]) -> None:
    """Sets the parameters of a head that the weights lack.

    The head starts as the identity, so that a hidden state is scored by its likeness to the word
    embeddings it is tied to: better than random values, and always the same.

    Raises:
        WeightsError: More than a head is missing: these are not the weights of this architecture.
    """
    encoder = f"{model.base_model_prefix}."
    if body := sorted(name for name in missing if name.startswith(encoder)):
        raise WeightsError(f"the weights lack parts of the encoder: {enumerated(body, 5)}")
    with torch.no_grad():
        for name, module in model.named_modules():
            if not any(f"{name}.{kind}" in missing for kind in ("weight", "bias")):
                continue
            if isinstance(module, nn.Linear) and module.in_features == module.out_features:
                nn.init.eye_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):  # the decoder: its weight is the embeddings'
                nn.init.zeros_(module.bias)
    model.tie_weights()
