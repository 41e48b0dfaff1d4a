"""Training of one stage on ``transformers.Trainer``, and its record for the lineage.

The Trainer provides devices, mixed precision, clipping and schedules. This module adds batches by
length, two learning rates, the losses of every step as a table, progress, and an average of the
weights. Weights stay in memory: writing a checkpoint per epoch would take longer than training.
"""

from __future__ import annotations

import gc
import math
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.trainer_callback import PrinterCallback

from tkre.core.errors import UserError
from tkre.core.progress import Progress
from tkre.core.provenance import Environment, Lineage, Step, environment
from tkre.modeling.checkpoint import Checkpoint, weights_digest
from tkre.modeling.params import Precision
from tkre.modeling.runtime import device, to_tensors, use_bf16
from tkre.training.batching import Batch, LengthBatches
from tkre.training.cpu_speed import fast_on_cpu
from tkre.training.params import OptimisationParams


def training_environment(precision: Precision) -> Environment:
    """The device, threads, precision and machine of this process."""
    name = torch.cuda.get_device_name() if device().type == "cuda" else "cpu"
    used = "bf16" if use_bf16(precision) else "fp32"
    return environment(name, torch.get_num_threads(), used)


@dataclass
class StepRecorder:
    """Records a stage of training for the lineage, from its construction on.

    Attributes:
        start: The checkpoint that the stage starts from.
        stage: Name of the stage.
        data: Digest of its training rows.
        settings: Its parameters.
        precision: Precision of its parameters.
        chosen: Settings that the data chose.
    """

    start: Checkpoint
    stage: str
    data: str
    settings: dict[str, Any]
    precision: Precision
    chosen: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._begun = time.perf_counter()
        self._started_from = weights_digest(self.start.model)

    def lineage(self, model: Any) -> Lineage:
        """The lineage of the start and this stage, by the trained model."""
        step = Step(
            stage=self.stage,
            started_from=self._started_from,
            weights=weights_digest(model),
            data=self.data,
            settings=self.settings,
            chosen=self.chosen,
            seconds=time.perf_counter() - self._begun,
            environment=training_environment(self.precision),
        )
        return self.start.lineage.then(step)


class AveragedWeights:
    """An exponential moving average of a model's weights.

    The first decays are smaller, (1 + n) / (10 + n) after n steps, so that the random start loses
    its weight in runs of some hundred steps.

    Args:
        model: Its parameters and buffers are averaged, without frozen ones. It stays on its device.
        decay: Share of the average that stays at each step.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model = model
        self._decay = decay
        self._steps = 0
        frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
        state = model.state_dict()
        averaged = [name for name in state if name not in frozen]
        self._fractions = [name for name in averaged if state[name].is_floating_point()]
        self._whole = [name for name in averaged if not state[name].is_floating_point()]
        self.weights: dict[str, Tensor] = {
            name: tensor.detach().clone() for name, tensor in state.items()
        }

    @torch.no_grad()
    def update(self) -> None:
        """Adds the present weights to the average."""
        self._steps += 1
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        state = self._model.state_dict()
        for name in self._whole:
            self.weights[name].copy_(state[name])
        # All at once: one by one, a GPU would have a launch for each of some hundred tensors.
        averages = [self.weights[name] for name in self._fractions]
        get_ema_multi_avg_fn(decay)(averages, [state[name] for name in self._fractions], None)


@contextmanager
def compiled_layers(objective: nn.Module) -> Iterator[None]:
    """Compiles the transformer layers of an objective's models at their first batch; undone after.

    All layers of a model share one compilation for all lengths, so the wait does not grow with
    their number.
    """
    layers = [m for m in objective.modules() if isinstance(m, GradientCheckpointingLayer)]
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None


# Called after every epoch with its number, counted from 1, and the model; the returned figures are
# added to the table of losses.
EpochEnd = Callable[[int, nn.Module], dict[str, float]]


class Objective(nn.Module):
    """A loss to minimise: a module whose forward returns the loss and its parts.

    The parts are detached scalars, by name; they become columns of the table of losses.
    """

    def forward(self, **batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:  # noqa: D102
        raise NotImplementedError

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The encoder's parameters, and all new parameters."""
        raise NotImplementedError


def train(
    objective: Objective,
    rows: Sequence[Any],
    collate: Callable[[list[Any]], Batch],
    params: OptimisationParams,
    *,
    epochs: int,
    seed: int,
    description: str,
    on_step_end: Callable[[], None] | None = None,
    on_epoch_end: EpochEnd | None = None,
) -> pd.DataFrame:
    """Minimises an objective over rows; the objective's modules are changed in place.

    Args:
        objective: The objective.
        rows: Objects whose ``len`` is their length in tokens.
        collate: Makes the arrays of a batch of rows.
        params: Optimiser, batch size, precision.
        epochs: Passes over the rows.
        seed: Seed of the order of the rows and of dropout.
        description: Shown with the progress.
        on_step_end: Called after every step.
        on_epoch_end: Called after every epoch.

    Returns:
        One row per step: epoch, step, loss and its parts; the last row of each epoch has the
        figures of ``on_epoch_end``.

    Raises:
        UserError: A loss is not finite.
    """
    set_seed(seed)
    batches = LengthBatches([len(row) for row in rows], params.batch_size, seed)
    steps = epochs * len(batches)
    bf16 = use_bf16(params.precision)
    on_gpu = device().type == "cuda"
    with (
        tempfile.TemporaryDirectory() as unused,
        Progress(description, steps) as progress,
        _fast_collection(),
    ):
        recorder = _Recorder(description, progress, len(batches), on_step_end, on_epoch_end)
        arguments = TrainingArguments(
            output_dir=unused,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            logging_strategy="no",
            num_train_epochs=epochs,
            seed=seed,
            max_grad_norm=params.max_grad_norm,
            lr_scheduler_type="linear",
            warmup_steps=round(params.warmup * steps),
            bf16=bf16,
            use_cpu=not on_gpu,
            # The filter would read every loss, which waits for a GPU; the table shows them.
            logging_nan_inf_filter=False,
            remove_unused_columns=False,
        )
        # Several GPUs would be used by splitting each small batch: slower, and not the same run.
        arguments._n_gpu = min(1, arguments.n_gpu)
        trainer = _Trainer(
            model=objective,
            args=arguments,
            callbacks=[recorder],
            optimizers=(optimiser(objective, params), None),
        )
        # DataLoader accepts any sequence as a Dataset.
        trainer.batches = DataLoader(
            rows,  # type: ignore[arg-type]
            batch_sampler=batches,
            collate_fn=lambda rows: to_tensors(collate(rows)),
            pin_memory=on_gpu,
        )
        trainer.recorder = recorder
        trainer.pop_callback(PrinterCallback)  # it prints a summary; ours shows progress
        objective.train()
        with (
            nullcontext() if on_gpu else fast_on_cpu(objective, bf16=bf16),
            compiled_layers(objective) if params.compile_layers else nullcontext(),
        ):
            trainer.train()
        # Trainer, accelerator and optimiser form reference cycles: uncollected, their memory would
        # add to that of the next stage.
        trainer.accelerator.free_memory()
        del trainer
        gc.collect()
    objective.eval()
    return recorder.table()


def optimiser(objective: Objective, params: OptimisationParams) -> torch.optim.Optimizer:
    """AdamW over both parameter groups without frozen ones; no decay of biases and norms."""
    groups = []
    rates = (params.learning_rate, params.head_learning_rate)
    for parameters, rate in zip(objective.parameter_groups(), rates, strict=True):
        trained = [p for p in parameters if p.requires_grad]
        for decays in (True, False):
            members = [p for p in trained if (p.ndim > 1) == decays]
            decay = params.weight_decay if decays else 0.0
            if members:
                groups.append({"params": members, "lr": rate, "weight_decay": decay})
    # Fused: the update takes a large part of a small model's step on a CPU.
    return torch.optim.AdamW(groups, fused=True)


@contextmanager
def _fast_collection() -> Iterator[None]:
    """Excludes existing objects, mostly libraries, from garbage collection.

    The end of a stage and accelerate both collect, which takes a second if all imported modules are
    traversed each time.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


class _Trainer(Trainer):
    batches: DataLoader[Any]
    recorder: _Recorder

    def get_train_dataloader(self) -> DataLoader[Any]:
        return self.batches

    def _prepare_inputs(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        # From pinned memory, so that the copy overlaps the step before.
        return {n: t.to(self.args.device, non_blocking=True) for n, t in inputs.items()}

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Tensor], *_: Any, **__: Any
    ) -> Tensor:
        loss, parts = model(**inputs)
        self.recorder.losses.append({"loss": loss.detach(), **parts})
        return loss


@dataclass(eq=False)
class _Recorder(TrainerCallback):
    """Keeps the losses as tensors (reading one waits for the device) and shows progress."""

    description: str
    progress: Progress
    steps_per_epoch: int
    step_ended: Callable[[], None] | None
    epoch_ended: EpochEnd | None
    losses: list[dict[str, Tensor]] = field(default_factory=list)
    figures: dict[int, dict[str, float]] = field(default_factory=dict)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.step_ended:
            self.step_ended()
        # Seldom enough for a GPU that runs ahead of the CPU.
        figures: dict[str, float] = {}
        if state.global_step % 10 == 0:
            figures = {name: float(value) for name, value in self.losses[-1].items()}
            self._require_finite(figures["loss"], state.global_step)
        self.progress.advance(1, **figures)

    def on_epoch_end(self, args: Any, state: Any, control: Any, model: nn.Module, **_: Any) -> None:
        if self.epoch_ended:
            model.eval()
            epoch = state.global_step // self.steps_per_epoch
            self.figures[state.global_step] = self.epoch_ended(epoch, model)
            self.progress.advance(0, **self.figures[state.global_step])
            model.train()

    def table(self) -> pd.DataFrame:
        rows = [
            {
                "epoch": 1 + (step - 1) // self.steps_per_epoch,
                "step": step,
                **{name: float(value) for name, value in losses.items()},
                **self.figures.get(step, {}),
            }
            for step, losses in enumerate(self.losses, start=1)
        ]
        for step, row in enumerate(rows, start=1):
            self._require_finite(row["loss"], step)
        return pd.DataFrame(rows)

    def _require_finite(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise UserError(
                f"{self.description}: the loss of step {step} is {loss}, so the training has "
                "diverged: lower optimisation.learning_rate and head_learning_rate, or set "
                "optimisation.precision to fp32"
            )
