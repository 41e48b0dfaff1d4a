"""Tokens per second of knowledge pre-training, beside what else one could run.

In one run, from the same weights, on the same texts: the released TKRE code's way (written anew:
every text padded to 128, fp32, logits at every position), `transformers.Trainer` with
`DataCollatorForLanguageModeling` as it is documented, and ours. The first and ours see the same
batches with the same masks, so their losses can be compared step by step; the collator of the
second draws its own. Only tokens that are no padding are counted. Utilisation is the operations
that the model needs for them, against the rate at which this machine multiplies large matrices.

    python tests/benchmarks/pretraining_throughput.py [--steps 60] [--threads 2]
    python tests/benchmarks/pretraining_throughput.py --shape roberta-large --batch-size 64

The second is for a GPU.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.nn import functional as F
from transformers import get_linear_schedule_with_warmup

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import tell
from tests.benchmarks.machine import (
    free,
    matmul_rate,
    peak_memory,
    share_of_products,
    synchronise,
    waits,
    where,
)
from tests.benchmarks.pretraining_setting import Batch, Result, Setting
from tests.benchmarks.shapes import SEED, SHAPES
from tkre.modeling.runtime import device, use_bf16
from tkre.modeling.span_masking import IGNORED
from tkre.training.pretraining import TextObjective, span_contrast
from tkre.training.trainer import train

PADDED_TO = 128  # of the released code
RELEASED_ROWS, TRAINER_ROWS = 64, 256  # that are in memory at once, at most
PROFILED = 5  # steps


def released(setting: Setting, steps: int) -> Result:
    """Every text padded to 128, fp32, logits at every position, all weights trained.

    Schedule and clipping are ours, so that losses can be compared.
    """
    params = setting.stage.optimisation
    model = copy.deepcopy(setting.start.model).to(device()).train()
    optimiser = torch.optim.AdamW(
        model.parameters(), lr=params.learning_rate, weight_decay=params.weight_decay
    )
    schedule = get_linear_schedule_with_warmup(optimiser, round(params.warmup * steps), steps)
    torch.manual_seed(SEED)
    result = Result()
    for batch in setting.batches(steps):
        missing = PADDED_TO - batch["input_ids"].shape[1]
        ids = F.pad(batch["input_ids"], (0, missing), value=setting.start.tokenizer.pad_token_id)
        seen = F.pad(batch["attention_mask"], (0, missing), value=0)
        labels = torch.full_like(batch["input_ids"], IGNORED)
        labels.view(-1)[batch["masked"]] = batch["originals"]
        labels = F.pad(labels, (0, missing), value=IGNORED)
        synchronise()
        begun = time.perf_counter()
        ids, seen, labels = (tensor.to(device()) for tensor in (ids, seen, labels))
        total = 0.0
        # A large batch is added up from parts: the logits of all its positions fit no memory.
        for part in torch.arange(len(ids)).split(RELEASED_ROWS):
            share = (labels[part] != IGNORED).sum() / (labels != IGNORED).sum()
            out = model(input_ids=ids[part], attention_mask=seen[part], labels=labels[part])
            loss = out.loss * share
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), params.max_grad_norm)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        result.losses.append(total)
        result.seconds += time.perf_counter() - begun
        result.count(batch, model.config, len(batch["originals"]))
    return result


def plain_trainer(setting: Setting, steps: int, *, bf16: bool) -> Result:
    """`transformers.Trainer` with its collator for masked language models, as documented."""
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    size = setting.stage.optimisation.batch_size
    rows = [{"input_ids": e.input_ids.tolist()} for e in setting.encoded]
    model = copy.deepcopy(setting.start.model)
    collate = _Counting(DataCollatorForLanguageModeling(setting.start.tokenizer), model.config)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=steps, seed=SEED, report_to=[], disable_tqdm=True,
            per_device_train_batch_size=min(size, TRAINER_ROWS),
            gradient_accumulation_steps=max(1, size // TRAINER_ROWS),
            learning_rate=setting.stage.optimisation.learning_rate, save_strategy="no",
            logging_strategy="no", use_cpu=not torch.cuda.is_available(), bf16=bf16,
            train_sampling_strategy="group_by_length" if bf16 else "random",
            dataloader_pin_memory=torch.cuda.is_available(),
        )  # fmt: skip
        trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collate)
        begun = time.perf_counter()
        trainer.train()
        synchronise()
        collate.result.seconds = time.perf_counter() - begun
    return collate.result


class _Counting:
    def __init__(self, collate: Any, config: Any) -> None:
        self._collate = collate
        self._config = config
        self.result = Result()

    def __call__(self, rows: Sequence[dict[str, Any]]) -> Any:
        batch = self._collate(rows)
        self.result.count(batch, self._config, int((batch["labels"] != IGNORED).sum()))
        return batch


def ours(
    setting: Setting, steps: int, *, frozen: bool, scl: bool = False, plain: bool = False,
    compiled: bool = False,
) -> Result:  # fmt: skip
    """The project's stages, as `kedro run` runs them; plain: without what is quicker on a CPU."""
    model = copy.deepcopy(setting.start.model)
    model.get_input_embeddings().weight.requires_grad_(not frozen)
    batches = setting.batches(steps)  # masked as they are wanted: that is part of a step
    result = Result()

    def collate(_: list[Any]) -> Batch:
        batch = next(batches)
        result.count(batch, model.config, len(batch["originals"]), frozen=frozen)
        return batch

    stage = setting.scl if scl else setting.stage
    contrast = span_contrast(setting.start, setting.schema, setting.params) if scl else None
    params = stage.optimisation.model_copy(update={"compile_layers": compiled})
    size = params.batch_size
    rows = [setting.encoded[n % len(setting.encoded)] for n in range(steps * size)]
    as_it_is = mock.patch("tkre.training.trainer.fast_on_cpu", lambda *_, **__: nullcontext())
    begun = time.perf_counter()
    with as_it_is if plain else nullcontext():
        losses = train(
            TextObjective(model, contrast, stage), rows, collate, params,
            epochs=1, seed=SEED, description="benchmark",
        )  # fmt: skip
    result.seconds = time.perf_counter() - begun
    result.losses = losses["loss"].tolist()  # they are read at the end: nothing is under way
    return result


def main() -> None:
    """Measures every way and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=SHAPES, default="minilm")
    parser.add_argument("--batch-size", type=int, default=None, help="the recipe's if not given")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--slow-steps", type=int, default=20, help="of the released way")
    parser.add_argument("--no-trainer", action="store_true", help="leave the Trainer out")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    setting = Setting(options.shape, options.batch_size)
    ways: dict[str, tuple[Callable[..., Result], int, dict[str, bool]]] = {
        "released code's way": (released, options.slow_steps, {}),
        "Trainer, its own collator": (plain_trainer, options.steps, {"bf16": False}),
        "the same, bf16, by length": (plain_trainer, options.steps, {"bf16": True}),
        # Before those that have the allocator keep memory, which lasts.
        "ours, without training.on_cpu": (ours, options.steps, {"frozen": True, "plain": True}),
        "ours": (ours, options.steps, {"frozen": False}),
        "ours, word embeddings frozen": (ours, options.steps, {"frozen": True}),
        "ours, frozen, MSLM + SCL": (ours, options.steps, {"frozen": True, "scl": True}),
    }
    on_gpu = device().type == "cuda"
    if on_gpu:
        del ways["ours, without training.on_cpu"]
    if options.no_trainer or not use_bf16("auto"):
        del ways["the same, bf16, by length"]
    if options.no_trainer:
        del ways["Trainer, its own collator"]
    rate = matmul_rate(
        *((8192, 8192, 8192) if on_gpu else (2048, 1024, 4096)),
        torch.bfloat16 if use_bf16("auto") else torch.float32,
    )
    _tell_setting(setting, options, rate)
    results: dict[str, Result] = {}
    for name, (way, steps, more) in ways.items():
        # What is done once is not measured. A slow way needs no long start.
        way(setting, 1 if steps == options.slow_steps else 3, **more)
        results[name] = way(setting, steps, **more)
        free()
        _tell_speed(name, results[name], results["released code's way"], rate)
    # As many steps as the released way has had: on the same schedule.
    same = ours(setting, options.slow_steps, frozen=False)
    _tell_losses(results["released code's way"], same)
    profiled = partial(ours, setting, PROFILED, frozen=True, scl=True)
    _tell_profile("MSLM + SCL", profiled)
    if on_gpu:
        found = waits(profiled)
        tell(f"{len(found)} waits for the GPU in {PROFILED} steps, start and end of the stage "
             f"among them: {', '.join(sorted(set(found)))}")  # fmt: skip
        begun = time.perf_counter()
        compiled = partial(ours, setting, frozen=True, compiled=True)
        compiled(3)
        tell(f"layers compiled: {time.perf_counter() - begun:.0f} s for the first three steps")
        for name, scl in (("compiled", False), ("compiled, MSLM + SCL", True)):
            _tell_speed(
                name, compiled(options.steps, scl=scl), results["released code's way"], rate
            )
        _tell_profile("compiled MSLM + SCL", partial(compiled, PROFILED, scl=True))
    tell(f"peak memory {peak_memory():.1f} GiB")


def _tell_speed(name: str, result: Result, slowest: Result, rate: float) -> None:
    speed, slow = (r.tokens / r.seconds for r in (result, slowest))
    tell(f"{name:<30} {result.tokens:>9,} tokens in {result.seconds:6.1f} s: "
         f"{speed:>9,.0f} tokens/s, x {speed / slow:4.1f}, utilisation "
         f"{result.operations / result.seconds / rate:5.1%}")  # fmt: skip


def _tell_profile(name: str, run: Callable[[], object]) -> None:
    share, others = share_of_products(run)
    tell(f"of the time of the operators of {name} {share:.0%} is matrix products; then "
         + ", ".join(f"{operator} {part:.0%}" for operator, part in others))  # fmt: skip


def _tell_setting(setting: Setting, options: argparse.Namespace, rate: float) -> None:
    precision = "bf16" if use_bf16("auto") else "fp32"
    tell(f"{where()}, {options.threads} threads, {options.shape}, ours in {precision}; batches of "
         f"{setting.stage.optimisation.batch_size} texts of {len(setting.encoded)}; matrices are "
         f"multiplied at {rate / 1e12:.2f} TFLOP/s")  # fmt: skip


def _tell_losses(theirs: Result, own: Result) -> None:
    difference = np.abs(np.subtract(theirs.losses, own.losses)).mean()
    tell(f"losses of the same {len(own.losses)} masked batches: released {theirs.losses[0]:.2f} to "
         f"{theirs.losses[-1]:.2f}, ours {own.losses[0]:.2f} to {own.losses[-1]:.2f}; they differ "
         f"by {difference:.2f} on average (dropout is drawn anew)")  # fmt: skip


if __name__ == "__main__":
    main()
