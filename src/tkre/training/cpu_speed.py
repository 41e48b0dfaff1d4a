"""Faster training on CPUs: attention in bf16, dropout, and an allocator that keeps memory.

The results stay the same except for the random draws of dropout.
tests/benchmarks/pretraining_throughput.py compares with training without it.

Legend of shapes: B sentences, H heads, T tokens, D size of a head.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface, eager_mask

EAGER_BF16 = "tkre_eager_bf16"
LEVELS = 2**16  # of the draws of dropout
# From malloc.h: parameters of mallopt.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
KEPT_BYTES, GROWTH_BYTES = 2**31 - 1, 2**26


@contextmanager
def fast_on_cpu(objective: nn.Module, *, bf16: bool) -> Iterator[None]:
    """Replaces dropout and attention of an objective's models by faster ones; restores them after.

    Args:
        objective: Module with Hugging Face models.
        bf16: Whether it is trained in bf16; in fp32 the fused attention is faster and is kept.
    """
    tune_malloc()
    models = [m for m in objective.modules() if isinstance(m, PreTrainedModel) and m._supports_sdpa]
    before = [m.config._attn_implementation for m in models]
    dropouts = _replace_dropout(objective)
    for model in models if bf16 else ():
        model.set_attn_implementation(EAGER_BF16)
    try:
        yield
    finally:
        for parent, name, dropout in dropouts:
            setattr(parent, name, dropout)
        for model, attention in zip(models, before, strict=True):
            model.set_attn_implementation(attention)


def drop(values: Tensor, p: float) -> Tensor:
    """Dropout with masks of 16 random bits for each value, drawn eight bytes at a time.

    torch draws a double for each value, on one thread: a tenth of a step of pre-training.

    Args:
        values: Floating point, of any shape.
        p: Share of the values that become 0, rounded to 1/65536; the others are scaled so that
            the mean stays exactly.

    Raises:
        ValueError: ``p`` is not from 0 to 1.
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a share that is dropped is from 0 to 1, not {p}")
    dropped = round(p * LEVELS)
    if dropped in (0, LEVELS):
        return values if not dropped else values * 0.0
    words = torch.empty(-(-values.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    draws = words.view(torch.int16)[: values.numel()].view(values.shape)
    kept = draws >= dropped - LEVELS // 2
    return values * kept.to(values.dtype).mul_(LEVELS / (LEVELS - dropped))


class FastDropout(nn.Dropout):
    """``nn.Dropout`` with the masks of ``drop``."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: D102
        return drop(input, self.p) if self.training else input


def eager_bf16(
    module: nn.Module,
    query_BHTD: Tensor,
    key_BHTD: Tensor,
    value_BHTD: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[Tensor, Tensor]:
    """Eager attention in the precision of its inputs, for the registry of ``transformers``.

    On a CPU the backward pass of the fused attention is slower in bf16 than this.

    Args:
        module: The layer; in training mode there is dropout.
        query_BHTD: Queries.
        key_BHTD: Keys.
        value_BHTD: Values.
        attention_mask: B x 1 x T x T, added to the scores; None for none.
        scaling: Factor of the scores; None is ``1 / sqrt(D)``.
        dropout: Dropout of the attention's weights.

    Returns:
        B x T x H x D; the weights, B x H x T x T.
    """
    scale = query_BHTD.size(-1) ** -0.5 if scaling is None else scaling
    scores_BHTT = (query_BHTD * scale) @ key_BHTD.transpose(2, 3)
    # Autocast would compute the softmax in fp32, between two casts; it sums in fp32 in any case.
    with torch.autocast(query_BHTD.device.type, enabled=False):
        if attention_mask is not None:
            scores_BHTT = scores_BHTT + attention_mask.to(scores_BHTT.dtype)
        weights_BHTT = scores_BHTT.softmax(dim=-1)
        if module.training and dropout:
            weights_BHTT = drop(weights_BHTT, dropout)
        read_BHTD = weights_BHTT @ value_BHTD
    return read_BHTD.transpose(1, 2).contiguous(), weights_BHTT


@cache
def tune_malloc() -> bool:
    """Makes the allocator of Linux's glibc keep freed memory; returns whether it does.

    Otherwise every large tensor is new memory from the system, which is cleared page by page. That
    takes a tenth of a step of pre-training, whose gradients of the word embeddings are tens of
    megabytes each.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, KEPT_BYTES), (M_TOP_PAD, GROWTH_BYTES))
    return all([libc.mallopt(name, value) == 1 for name, value in settings])


def _replace_dropout(objective: nn.Module) -> list[tuple[nn.Module, str, nn.Dropout]]:
    """Replaces plain dropout; returns parents, names and the replaced modules."""
    found = [
        (parent, name, child)
        for parent in objective.modules()
        for name, child in parent.named_children()
        if type(child) is nn.Dropout
    ]
    for parent, name, child in found:
        setattr(parent, name, FastDropout(child.p).train(child.training))
    return found


AttentionInterface.register(EAGER_BF16, eager_bf16)
AttentionMaskInterface.register(EAGER_BF16, eager_mask)
