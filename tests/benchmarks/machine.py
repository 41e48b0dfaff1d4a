"""What a machine can do, and how much of it a training step uses."""

from __future__ import annotations

import gc
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import torch

from tkre.modeling.runtime import device

# Operators whose time is that of matrix products; what else a step does is overhead beside them.
PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "linear", "matmul", "scaled_dot_product", "mkldnn")


def where() -> str:
    """The device in words."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def synchronise() -> None:
    """Waits for the device, so that a clock can be read."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def free() -> None:
    """Gives back the GPU memory that nothing uses."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


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


def training_operations(
    config: Any, tokens: int, squared: int, predicted: int, *, frozen: bool = False
) -> float:
    """Floating-point operations of forward and backward passes of a masked language model.

    Two for each weight and token in the forward pass, twice as many in the backward pass. Word
    embeddings are a look-up; the vocabulary is multiplied where something is predicted.

    Args:
        config: Of a BERT or RoBERTa.
        tokens: That are no padding.
        squared: The sum over texts of their lengths' squares, for attention.
        predicted: Tokens at which logits are wanted.
        frozen: Whether the word embeddings, which make the logits, have no gradient.
    """
    hidden, layers, wide = config.hidden_size, config.num_hidden_layers, config.intermediate_size
    per_token = layers * (4 * hidden * hidden + 2 * hidden * wide)
    attention = layers * 2 * hidden * squared
    vocabulary = (4.0 if frozen else 6.0) * predicted * hidden * config.vocab_size
    return 6.0 * (per_token * tokens + attention + predicted * hidden**2) + vocabulary


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
    # On a GPU, operators with the time of the kernels that they launch; not the kernels besides.
    own = {
        event.key: float(event.self_device_time_total if on_gpu else event.self_cpu_time_total)
        for event in profile.key_averages()
        if event.device_type == torch.autograd.DeviceType.CPU
    }
    total = sum(own.values()) or 1.0
    products = sum(time for name, time in own.items() if _is_product(name))
    others = sorted(((t / total, n) for n, t in own.items() if not _is_product(n)), reverse=True)
    return products / total, [(name, share) for share, name in others[:6]]


def waits(run: Callable[[], object]) -> list[str]:
    """Where the process waits for the GPU, as file and line, once for each time.

    Args:
        run: What is looked at.
    """
    found: list[str] = []

    def note(message: object, category: type, filename: str, line: int, *_: object) -> None:
        if "synchroniz" in str(message):
            found.append(f"{Path(filename).name}:{line}")

    with warnings.catch_warnings(), mock.patch("warnings.showwarning", note):
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            run()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return found


def peak_memory() -> float:
    """GiB: of the GPU if there is one, else the highest that this process has held."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**30

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _is_product(name: str) -> bool:
    plain = name.removeprefix("aten::").lstrip("_").lower()
    kernels = ("gemm", "cutlass", "flash", "fmha")
    return plain.startswith(PRODUCTS) or any(kernel in plain for kernel in kernels)
