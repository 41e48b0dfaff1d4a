"""Texts as vectors: the mean of an encoder's last hidden states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from tkre.training.batching import sorted_batches


@torch.no_grad()
def embed(encoder: Any, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> Tensor:
    """One vector per text, in their order.

    Args:
        encoder: A bare Hugging Face encoder; it is put into evaluation mode for the pass.
        tokenizer: Its own.
        texts: Cut at 256 tokens.

    Returns:
        N x H on the CPU.
    """
    was_training = encoder.training
    encoder.eval()
    encoded = [tokenizer(text, truncation=True, max_length=256) for text in texts]
    vectors: list[Tensor] = [torch.empty(0)] * len(texts)
    for batch in sorted_batches([len(e["input_ids"]) for e in encoded], tokens=8192):
        padded = tokenizer.pad(
            {"input_ids": [encoded[n]["input_ids"] for n in batch]}, return_tensors="pt"
        ).to(encoder.device)
        states = encoder(**padded).last_hidden_state
        weights = padded["attention_mask"].unsqueeze(-1).to(states.dtype)
        means = (states * weights).sum(dim=1) / weights.sum(dim=1)
        for n, vector in zip(batch, means.cpu(), strict=True):
            vectors[n] = vector
    encoder.train(was_training)
    return torch.stack(vectors)
