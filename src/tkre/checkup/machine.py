"""What the machine offers: device, precision, threads, memory, disk. torch is imported inside."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil

GIB = 2**30


@dataclass(frozen=True)
class Machine:
    """A machine as training sees it.

    Attributes:
        device: In words.
        bf16: Whether matrix products run in bf16 with ``precision: auto``.
        threads: Of torch.
        cores: Physical cores of the processor.
        memory_free: Bytes that a run could take.
        disk_free: Bytes where outputs go.
    """

    device: str
    bf16: bool
    threads: int
    cores: int
    memory_free: int
    disk_free: int


def machine(outputs: Path) -> Machine:
    """This machine.

    Args:
        outputs: A folder on the disk that runs write to.
    """
    import torch

    from tkre.modeling.precision import use_bf16

    gpu = torch.cuda.is_available()
    return Machine(
        device=torch.cuda.get_device_name() if gpu else "CPU",
        bf16=use_bf16("auto"),
        threads=torch.get_num_threads(),
        cores=psutil.cpu_count(logical=False) or 1,
        memory_free=psutil.virtual_memory().available,
        disk_free=shutil.disk_usage(outputs).free,
    )


def training_bytes(parameters: int) -> int:
    """Memory that the weights of a model take while it is trained, activations aside.

    Weights, gradients and AdamW's two moments in fp32, the weights it started from, and those of
    the epoch that is kept.
    """
    return 6 * 4 * parameters


def stored_bytes(parameters: int, checkpoints: int) -> int:
    """Disk space of so many checkpoints in fp32."""
    return 4 * parameters * checkpoints
