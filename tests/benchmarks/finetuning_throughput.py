"""Sentences per second of fine-tuning, beside SetFit's, and how the cost grows with the data.

In one run, from the same backbone, on the demo's golden and synthetic rows, with batches of 16: the
marker head, the recipe `tkre_plus`, and SetFit through its own package with the same
samples_per_relation. Then 1, 2, 4 and 8 times the rows for one epoch. One-time work (tokens, the
start of the head, embeddings of explanations) is part of the time, as it is for a user.

    python tests/benchmarks/finetuning_throughput.py [--threads 1]
    python tests/benchmarks/finetuning_throughput.py --shape roberta-large

The second is for a GPU. SetFit is left out where it is not installed (extra `baselines`).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import DRAW, load, tell
from tests.benchmarks.machine import peak_memory, where
from tests.benchmarks.shapes import SEED, SHAPES, in_shape
from tkre.core.instance import Instance
from tkre.training.finetuning import finetune
from tkre.training.params import FinetuningParams, SetFitParams

PRESENTATIONS = 32  # of each relation
SIZES = (1, 2, 4, 8)


class Setting:
    """What all ways share."""

    def __init__(self, shape: str) -> None:
        backbone, explained, synthetic, self.schema, self.variants = load(
            "backbones.minilm", f"{DRAW}.explained", f"{DRAW}.synthetic", "newsroom.schema",
            "params:variants",
        )  # fmt: skip
        self.backbone = in_shape(backbone, shape)
        self.rows: list[Instance] = [*explained, *synthetic]

    def several(self, times: int) -> list[Instance]:
        """The rows so many times, with ids of their own."""
        return [replace(row, id=f"{row.id}-{n}") for n in range(times) for row in self.rows]

    def finetuned(self, variant: str, rows: Sequence[Instance], **parts: Any) -> tuple[int, float]:
        """Sentences shown, and seconds."""
        given = self.variants[variant].finetuning
        params = FinetuningParams.model_validate(given.model_dump() | {"synthetic": True} | parts)
        begun = time.perf_counter()
        _, losses = finetune(
            self.backbone, rows, [], self.schema, params,
            data="benchmark", seed=SEED, description="benchmark",
        )  # fmt: skip
        return len(losses) * params.optimisation.batch_size, time.perf_counter() - begun

    def setfit(self, rows: Sequence[Instance]) -> tuple[int, float]:
        """Sentences shown (two for each pair), and seconds."""
        given = self.variants["setfit"].setfit.model_dump()
        params = SetFitParams.model_validate(given | {"samples_per_relation": PRESENTATIONS})
        from tkre.training.setfit import train_setfit

        begun = time.perf_counter()
        train_setfit(
            self.backbone, rows, self.schema, params,
            data="benchmark", seed=SEED, description="benchmark",
        )  # fmt: skip
        pairs = 2 * params.iterations(len(rows), len(self.schema.names)) * len(rows)
        return 2 * pairs, time.perf_counter() - begun


def main() -> None:
    """Measures and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="minilm")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    setting = Setting(options.shape)
    tell(f"{where()}, {options.threads} threads, {options.shape}, {len(setting.rows)} rows of "
         "newsroom, batches of 16")  # fmt: skip
    once = {"samples_per_relation": PRESENTATIONS, "min_epochs": 1}
    ways: dict[str, Callable[[], tuple[int, float]]] = {
        "SetFit": lambda: setting.setfit(setting.rows),
        "typ_marker": lambda: setting.finetuned("typ_marker", setting.rows, **once),
        "tkre_plus": lambda: setting.finetuned("tkre_plus", setting.rows, **once),
    }
    if find_spec("setfit") is None:
        del ways["SetFit"]  # extra `baselines`
    setting.finetuned("typ_marker", setting.rows[:32], samples_per_relation=1, min_epochs=1)  # warm
    for name, way in ways.items():
        shown, seconds = way()
        tell(
            f"{name:<12} {shown:>6} sentences in {seconds:6.1f} s: {shown / seconds:6.1f} a second"
        )
    tell("one epoch of tkre_plus over more rows:")
    first = 0.0
    for times in SIZES:
        rows = setting.several(times)
        _, seconds = setting.finetuned("tkre_plus", rows, samples_per_relation=1, min_epochs=1)
        first = first or seconds
        tell(f"{times} x: {len(rows):>5} rows, {seconds:6.1f} s, x {seconds / first:.1f}")
    tell(f"peak memory {peak_memory():.1f} GiB")


if __name__ == "__main__":
    main()
