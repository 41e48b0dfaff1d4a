"""Short training: whether a classifier learns a few rows by heart, and the speed of the machine.

A failure points to labels or tags rather than to the method.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from pathlib import Path
from typing import NamedTuple

import psutil
import torch

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.generation.texts import EXPLANATION, SUPPORT, SYNTHETIC, knowledge_texts
from tkre.modeling.checkpoint import Checkpoint
from tkre.modeling.classifier import RelationClassifier
from tkre.modeling.runtime import on_device, use_bf16
from tkre.training.finetuning import finetune
from tkre.training.inference import predict
from tkre.training.params import FinetuningParams
from tkre.training.pretraining import pretrain
from tkre.training.scoring import labels_of
from tkre.training.stages import ANNOTATED, PAIRS, STAGES, PretrainingParams

ROWS = 30  # rows to learn by heart
SAMPLES_PER_RELATION = 80  # enough for the variants of conf/base
SPEED_EPOCHS = 2  # epochs of pre-training that measure its speed
SEED = 13


@dataclass(frozen=True)
class Sizes:
    """Numbers of rows.

    Attributes:
        relations: Relations of the schema.
        support: Golden training rows.
        validation: Rows that are labelled after every epoch.
        synthetic: Sentences written by a language model.
        test: Rows that are labelled once.
        inverted: Support rows whose relation has an inverse.
        annotated: Annotated rows.
    """

    relations: int
    support: int
    validation: int
    synthetic: int
    test: int
    inverted: int
    annotated: int = 0

    def inverted_of(self, rows: int) -> int:
        """Inverted rows of a number of rows, by the share in the support."""
        return round(rows * self.inverted / self.support) if self.support else 0


class Effort(NamedTuple):
    """Estimated work of a part of a run: steps of the optimiser (0 for labelling), and seconds."""

    part: str
    steps: int
    seconds: float


def pretraining_effort(
    params: PretrainingParams, sizes: Sizes, seconds_a_step: Mapping[str, float]
) -> list[Effort]:
    """Effort of each stage of pre-training.

    Args:
        params: Recipe.
        sizes: Numbers of rows; every support row is assumed to have an explanation.
        seconds_a_step: Measured seconds of a step by stage.
    """
    texts = {EXPLANATION: sizes.support, SYNTHETIC: sizes.synthetic, SUPPORT: sizes.support,
             ANNOTATED: sizes.annotated}  # fmt: skip
    efforts = []
    for stage in params.stages:
        part = params.of(stage)
        on_pairs = STAGES[stage].reads == PAIRS
        rows = sum(texts[s] for s in params.sources if not (on_pairs and s == EXPLANATION))
        if getattr(part, "add_inverted", False):
            rows += sizes.inverted_of(rows)
        steps = part.epochs_of(rows) * math.ceil(rows / part.optimisation.batch_size)
        efforts.append(Effort(f"pre-training, {stage}", steps, steps * seconds_a_step[stage]))
    return efforts


def finetuning_effort(params: FinetuningParams, sizes: Sizes, trial: Trial) -> list[Effort]:
    """Effort of fine-tuning, and of labelling validation rows after its epochs and test rows.

    Annotated rows that are kept out are counted as rows that train. The classifiers of the folds
    are counted, a teacher is not.
    """
    rows = sizes.support + (sizes.synthetic if params.synthetic else 0)
    rows += sizes.annotated if params.annotated else 0
    epochs = params.epochs(rows, sizes.relations)
    trained = rows + (sizes.inverted_of(rows) if params.add_inverted else 0)
    steps = epochs * math.ceil(trained / params.optimisation.batch_size)
    steps *= 1 + (params.folds if sizes.annotated else 0)
    labelled = epochs * sizes.validation + sizes.test
    return [
        Effort("fine-tuning", steps, steps * trial.seconds / max(1, trial.steps)),
        Effort("labelling validation and test rows", 0, labelled * trial.labelling),
    ]


@dataclass(frozen=True)
class Machine:
    """Resources for training.

    Attributes:
        device: Name of the GPU, or CPU.
        bf16: Matrix products run in bf16 with ``precision: auto``.
        threads: Threads of torch.
        cores: Physical cores of the processor.
        memory_free: Available memory in bytes.
        disk_free: Free bytes on the disk of the outputs.
    """

    device: str
    bf16: bool
    threads: int
    cores: int
    memory_free: int
    disk_free: int


def machine(outputs: Path) -> Machine:
    """Resources of this machine, and of the disk of the outputs."""
    gpu = torch.cuda.is_available()
    return Machine(
        device=torch.cuda.get_device_name() if gpu else "CPU",
        bf16=use_bf16("auto"),
        threads=torch.get_num_threads(),
        cores=psutil.cpu_count(logical=False) or 1,
        memory_free=psutil.virtual_memory().available,
        disk_free=shutil.disk_usage(outputs).free,
    )


@dataclass(frozen=True)
class Trial:
    """Result of fine-tuning on a few rows.

    Attributes:
        rows: Number of training rows.
        unlearnt: Training rows with a wrong prediction, and that prediction.
        steps: Steps of fine-tuning.
        seconds: Seconds of fine-tuning.
        labelling: Seconds to label a row.
        truncated: Ids of the corpus's rows that are longer than the recipe's max_length.
        longest: Tokens of the longest row, after truncation.
    """

    rows: int
    unlearnt: tuple[tuple[Instance, str], ...]
    steps: int
    seconds: float
    labelling: float
    truncated: tuple[str, ...]
    longest: int


def few_rows(rows: Sequence[Instance], schema: RelationSchema, most: int = ROWS) -> list[Instance]:
    """At most ``most`` rows, taken from the relations in turn."""
    by_relation = [[row for row in rows if row.relation == name] for name in schema.names]
    in_turn = (row for row in chain(*zip_longest(*by_relation)) if row is not None)
    return list(islice(in_turn, most))


def by_heart(params: FinetuningParams) -> FinetuningParams:
    """A recipe reduced to its classifier and optimiser, to learn rows by heart."""
    return params.model_copy(
        update={
            "synthetic": False,
            "alignment": None,
            "trigger_weight": 0.0,
            "average": None,  # half of it would be the initial weights in a short run
            "least_probability": 0.0,
            "samples_per_relation": min(params.samples_per_relation, SAMPLES_PER_RELATION),
        }
    )


def try_finetuning(
    start: Checkpoint,
    rows: Sequence[Instance],
    corpus: Sequence[Instance],
    schema: RelationSchema,
    params: FinetuningParams,
    *,
    head_first: bool = False,
) -> Trial:
    """Fine-tunes on a few rows and labels them; measures the lengths of all rows of the corpus."""
    begun = time.perf_counter()
    recipe = by_heart(params)
    trained, losses = finetune(
        start, rows, [], schema, recipe, data="a trial", seed=SEED,
        description="learning by heart", head_first=head_first,
    )  # fmt: skip
    seconds = time.perf_counter() - begun
    model: RelationClassifier = trained.model
    begun = time.perf_counter()
    with on_device(model):
        labels = labels_of(predict(model, trained.tokenizer, rows), model.config)
    labelling = (time.perf_counter() - begun) / len(rows)
    encoded = model.encode(corpus, trained.tokenizer)
    return Trial(
        rows=len(rows),
        unlearnt=tuple(
            (row, label) for row, label in zip(rows, labels, strict=True) if label != row.relation
        ),
        steps=len(losses),
        seconds=seconds,
        labelling=labelling,
        truncated=tuple(row.id for row, e in zip(corpus, encoded, strict=True) if e.truncated),
        longest=max(len(e) for e in encoded),
    )


def try_pretraining(
    start: Checkpoint,
    rows: Sequence[Instance],
    schema: RelationSchema,
    params: PretrainingParams,
) -> dict[str, float]:
    """Seconds of a step by stage, measured in a few steps on the rows."""
    seconds = {}
    for stage in params.stages:
        part = params.of(stage)
        short = params.model_copy(update={stage: part.model_copy(update={"epochs": SPEED_EPOCHS})})
        on_pairs = STAGES[stage].reads == PAIRS
        data = rows if on_pairs else knowledge_texts(rows, [], schema, (SUPPORT,))
        begun = time.perf_counter()
        _, losses = pretrain(
            start, data, schema, short, stage, data="a trial", seed=SEED, description="measuring"
        )
        seconds[stage] = (time.perf_counter() - begun) / max(1, len(losses))
    return seconds
