"""Tokens per second of masked span language modelling, beside what else one could run.

In one run, from the same weights, on the same texts: the released TKRE code's way (written anew:
every text padded to 128, fp32, logits at every position), `transformers.Trainer` with
`DataCollatorForLanguageModeling` as it is documented, and ours. The first and the last see the same
batches with the same masks, so their losses can be compared step by step; the collator of the
second draws its own. Only tokens that are no padding are counted.

    python tests/benchmarks/pretraining_throughput.py [--steps 60] [--threads 2]
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.benchmarks.demo import DRAW, load, tell
from tkre.corpora.schema import RelationSchema
from tkre.knowledge import from_frame
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.precision import use_bf16
from tkre.modeling.span_masking import IGNORED, encode_texts
from tkre.training.batching import LengthBatches
from tkre.training.params import PretrainingParams
from tkre.training.pretraining import KnowledgeObjective, _Collator
from tkre.training.run import train

PADDED_TO = 128  # of the released code
SEED = 13


@dataclass
class Result:
    """What a way has taken: tokens that are no padding, seconds, the loss of every step."""

    tokens: int
    seconds: float
    losses: list[float]


class Setting:
    """The weights, texts and parameters that all ways share."""

    def __init__(self) -> None:
        backbone, knowledge, schema, variants = load(
            "backbones.minilm", f"{DRAW}.knowledge", "newsroom.schema", "params:variants"
        )
        self.start: Checkpoint = backbone
        self.schema = RelationSchema.model_validate(schema)
        self.params = PretrainingParams.model_validate(variants["tkre"]["pretraining"])
        self.texts = from_frame(knowledge)
        self.encoded = encode_texts(self.texts, backbone.tokenizer, self.params.masking)
        self.stage = self.params.mslm
        assert self.stage is not None

    def batches(self, steps: int) -> list[dict[str, torch.Tensor]]:
        """The first batches of our training, masked as it masks them."""
        collate = _Collator(self.start, self.schema, self.params, np.random.default_rng(SEED))
        sampler = LengthBatches(
            [len(e) for e in self.encoded], self.stage.optimisation.batch_size, SEED
        )
        found: list[dict[str, torch.Tensor]] = []
        while len(found) < steps:
            found += [collate([self.encoded[n] for n in rows]) for rows in sampler]
        return found[:steps]


def released(setting: Setting, steps: int) -> Result:
    """Every text padded to 128, fp32, logits at every position, all weights trained."""
    model = copy.deepcopy(setting.start.model).train()
    optimiser = torch.optim.AdamW(model.parameters(), lr=setting.stage.optimisation.learning_rate)
    torch.manual_seed(SEED)
    result = Result(0, 0.0, [])
    for batch in setting.batches(steps):
        missing = PADDED_TO - batch["input_ids"].shape[1]
        ids = F.pad(batch["input_ids"], (0, missing), value=setting.start.tokenizer.pad_token_id)
        seen = F.pad(batch["attention_mask"], (0, missing), value=0)
        labels = F.pad(batch["labels"], (0, missing), value=IGNORED)
        begun = time.perf_counter()
        loss = model(input_ids=ids, attention_mask=seen, labels=labels).loss
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        result.seconds += time.perf_counter() - begun
        result.tokens += int(seen.sum())
        result.losses.append(loss.item())
    return result


def plain_trainer(setting: Setting, steps: int) -> Result:
    """`transformers.Trainer` with its collator for masked language models, as documented."""
    from transformers import DataCollatorForLanguageModeling, Trainer, TrainingArguments

    tokenizer = setting.start.tokenizer
    rows = [{"input_ids": e.input_ids.tolist()} for e in setting.encoded]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, max_steps=steps, seed=SEED, report_to=[], disable_tqdm=True,
            per_device_train_batch_size=setting.stage.optimisation.batch_size,
            learning_rate=setting.stage.optimisation.learning_rate, save_strategy="no",
            logging_strategy="no", use_cpu=not torch.cuda.is_available(),
        )  # fmt: skip
        trainer = Trainer(
            model=copy.deepcopy(setting.start.model), args=arguments, train_dataset=rows,
            data_collator=_Counting(DataCollatorForLanguageModeling(tokenizer)),
        )  # fmt: skip
        begun = time.perf_counter()
        trainer.train()
        return Result(trainer.data_collator.tokens, time.perf_counter() - begun, [])


class _Counting:
    def __init__(self, collate: Any) -> None:
        self._collate = collate
        self.tokens = 0

    def __call__(self, rows: Sequence[dict[str, Any]]) -> Any:
        self.tokens += sum(len(row["input_ids"]) for row in rows)
        return self._collate(rows)


def ours(setting: Setting, steps: int, *, frozen: bool) -> Result:
    """The project's stage, as `kedro run` runs it."""
    model = copy.deepcopy(setting.start.model)
    model.get_input_embeddings().weight.requires_grad_(not frozen)
    batches = iter(setting.batches(steps))
    tokens = 0

    def collate(_: list[Any]) -> dict[str, torch.Tensor]:
        nonlocal tokens
        batch = next(batches)
        tokens += int(batch["attention_mask"].sum())
        return batch

    size = setting.stage.optimisation.batch_size
    rows = [setting.encoded[n % len(setting.encoded)] for n in range(steps * size)]
    begun = time.perf_counter()
    losses = train(
        KnowledgeObjective(model, None, setting.stage), rows, collate, setting.stage.optimisation,
        epochs=1, seed=SEED, description="benchmark",
    )  # fmt: skip
    return Result(tokens, time.perf_counter() - begun, losses["loss"].tolist())


def main() -> None:
    """Measures every way and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--slow-steps", type=int, default=20, help="of the released code's way")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    setting = Setting()
    ways = {
        "released code's way": (released, options.slow_steps, {}),
        "Trainer, its own collator": (plain_trainer, options.steps, {}),
        "ours": (ours, options.steps, {"frozen": False}),
        "ours, word embeddings frozen": (ours, options.steps, {"frozen": True}),
    }
    precision = "bf16" if use_bf16("auto") else "fp32"
    tell(f"all-MiniLM-L6-v2, {options.threads} threads, ours in {precision}; batches of "
         f"{setting.stage.optimisation.batch_size} texts, {len(setting.texts)} texts")  # fmt: skip
    results, slowest = {}, 0.0
    for name, (way, steps, more) in ways.items():
        way(setting, 3, **more)  # what is compiled or allocated once is not measured
        results[name] = result = way(setting, steps, **more)
        speed = result.tokens / result.seconds
        slowest = slowest or speed
        tell(f"{name:<30} {result.tokens:>7,} tokens in {result.seconds:6.1f} s: "
             f"{speed:>7,.0f} tokens/s, x {speed / slowest:.1f}")  # fmt: skip
    both = [results[name].losses[: options.slow_steps] for name in ("released code's way", "ours")]
    difference = np.abs(np.subtract(*both)).mean()
    tell(f"losses of the same {len(both[0])} masked batches: released {both[0][0]:.2f} to "
         f"{both[0][-1]:.2f}, ours {both[1][0]:.2f} to {both[1][-1]:.2f}; "
         f"they differ by {difference:.2f} on average (dropout is drawn anew)")  # fmt: skip


if __name__ == "__main__":
    main()
