"""What a machine can do, and how much of it a training step uses."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

import torch

# Operators whose time is that of matrix products; what else a step does is overhead beside them.
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "scaled_dot_product", "mkldnn")


def device() -> torch.device:
    """Where training would run."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def synchronise() -> None:
    """Waits for the device, so that a clock can be read."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def matmul_rate(rows: int, inner: int, columns: int, dtype: torch.dtype) -> float:
    """Floating-point operations per second of a linear layer of that shape, the best of three."""
    left = torch.randn(rows, inner, device=device()).to(dtype)
    right = torch.randn(columns, inner, device=device()).to(dtype)
    operations = 2.0 * rows * inner * columns
    repeats = max(3, int(2e10 / operations)) if device().type == "cpu" else 200
    best = 0.0
    for _ in range(3):
        synchronise()
        begun = time.perf_counter()
        for _ in range(repeats):
            torch.nn.functional.linear(left, right)
        synchronise()
        best = max(best, operations * repeats / (time.perf_counter() - begun))
    return best


def training_operations(config: Any, tokens: int, squared: int, predicted: int) -> float:
    """Floating-point operations of forward and backward passes of a masked language model.

    Two for each weight and token in the forward pass, twice as many in the backward pass. Word
    embeddings are a look-up; the vocabulary is multiplied where something is predicted.

    Args:
        config: Of a BERT or RoBERTa.
        tokens: That are no padding.
        squared: The sum over texts of their lengths' squares, for attention.
        predicted: Tokens at which logits are wanted.
    """
    hidden, layers, wide = config.hidden_size, config.num_hidden_layers, config.intermediate_size
    per_token = layers * (4 * hidden * hidden + 2 * hidden * wide)
    attention = layers * 2 * hidden * squared
    head = predicted * hidden * (hidden + config.vocab_size)
    return 6.0 * (per_token * tokens + attention + head)


def share_of_products(run: Callable[[], object]) -> tuple[float, list[tuple[str, float]]]:
    """The share of the operators' time that is matrix products, and the largest of the others.

    Args:
        run: A few training steps.
    """
    activities = [torch.profiler.ProfilerActivity.CPU]
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profile:
        run()
        synchronise()
    own = {
        event.key: float(event.self_device_time_total if on_gpu else event.self_cpu_time_total)
        for event in profile.key_averages()
    }
    total = sum(own.values()) or 1.0
    products = sum(time for name, time in own.items() if _is_product(name))
    others = sorted(((t / total, n) for n, t in own.items() if not _is_product(n)), reverse=True)
    return products / total, [(name, share) for share, name in others[:6]]


def peak_memory() -> float:
    """GiB: of the GPU if there is one, else the highest that this process has held."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _is_product(name: str) -> bool:
    plain = name.removeprefix("aten::").lstrip("_").lower()
    kernels = ("gemm", "cutlass", "flash", "fmha")
    return plain.startswith(PRODUCTS) or any(kernel in plain for kernel in kernels)
