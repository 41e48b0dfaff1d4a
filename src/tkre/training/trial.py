"""How long a variant takes: the steps of its recipe, times what a step takes on this machine.

What the machine offers: device, precision, threads, memory, disk. torch is imported inside.

A short real training: can the variant's classifier learn a few rows by heart, and how fast?

If it cannot, something is wrong with labels or tags rather than with the method: this is what the
maintainers of other relation extractors tell those who see low scores to try first. The same runs
measure this machine. torch is imported inside.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.generation.texts import EXPLANATION, SUPPORT, SYNTHETIC, knowledge_texts
from tkre.training.params import FinetuningParams
from tkre.training.stages import PAIRS, STAGES, PretrainingParams

if TYPE_CHECKING:  # they import torch
    from tkre.modeling.checkpoint import Checkpoint
    from tkre.modeling.classifier import RelationClassifier


@dataclass(frozen=True)
class Sizes:
    """How much there is to train on.

    Attributes:
        relations: Labels of the schema.
        support: Golden training rows.
        validation: Rows that are labelled after every epoch.
        synthetic: Sentences that a language model is to write.
        test: Rows that are labelled once.
        swapped: Support rows that can be shown the other way round, too.
    """

    relations: int
    support: int
    validation: int
    synthetic: int
    test: int
    swapped: int


@dataclass(frozen=True)
class Effort:
    """A part of the work.

    Attributes:
        part: Its name.
        steps: Of the optimiser; 0 for labelling.
        seconds: About.
    """

    part: str
    steps: int
    seconds: float


def pretraining_effort(
    params: PretrainingParams, sizes: Sizes, seconds_a_step: Mapping[str, float]
) -> list[Effort]:
    """The stages of pre-training.

    Args:
        params: The recipe.
        sizes: How much there is; every support row is taken to have an explanation.
        seconds_a_step: As it was measured.
    """
    texts = {
        EXPLANATION: sizes.support, SYNTHETIC: sizes.synthetic, SUPPORT: sizes.support
    }  # fmt: skip
    efforts = []
    for stage in params.stages:
        part = params.of(stage)
        assert part is not None
        on_pairs = STAGES[stage].reads == PAIRS
        sources = [s for s in params.sources if not (on_pairs and s == EXPLANATION)]
        rows = sum(texts[source] for source in sources)
        if getattr(part, "swap", False) and sizes.support:
            rows += round(rows * sizes.swapped / sizes.support)
        steps = part.epochs * math.ceil(rows / part.optimisation.batch_size)
        efforts.append(Effort(f"pre-training, {stage}", steps, steps * seconds_a_step[stage]))
    return efforts


def finetuning_effort(
    params: FinetuningParams, sizes: Sizes, seconds_a_step: float, labelling: float
) -> list[Effort]:
    """Fine-tuning, the validation after its epochs, and the test rows.

    Args:
        params: The recipe.
        sizes: How much there is.
        seconds_a_step: As it was measured.
        labelling: Seconds for labelling a row.
    """
    rows = sizes.support + (sizes.synthetic if params.synthetic else 0)
    epochs = params.epochs(rows, sizes.relations)
    swapped = round(rows * sizes.swapped / sizes.support) if params.swap and sizes.support else 0
    steps = epochs * math.ceil((rows + swapped) / params.optimisation.batch_size)
    labelled = epochs * sizes.validation + sizes.test
    return [
        Effort("fine-tuning", steps, steps * seconds_a_step),
        Effort("labelling validation and test rows", 0, labelled * labelling),
    ]


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

    from tkre.modeling.runtime import use_bf16

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


ROWS = 30  # that are learnt by heart
PRESENTATIONS = 80  # of each relation; enough for the variants of conf/base
SPEED_EPOCHS = 2  # of pre-training, to measure its speed
SEED = 13


@dataclass(frozen=True)
class Trial:
    """What came of it.

    Attributes:
        rows: How many rows were learnt.
        unlearnt: Those that the classifier, after all, labels otherwise, with its label.
        steps: Of fine-tuning.
        seconds: That they took.
        labelling: Seconds for labelling a row.
        truncated: Rows of the corpus, by id, that are longer than the variant's max_length.
        longest: Most tokens of a row, as far as it is read.
    """

    rows: int
    unlearnt: tuple[tuple[Instance, str], ...]
    steps: int
    seconds: float
    labelling: float
    truncated: tuple[str, ...]
    longest: int


def a_few(rows: Sequence[Instance], schema: RelationSchema, most: int = ROWS) -> list[Instance]:
    """The first rows of every relation in turn, until there are enough."""
    by_relation = [[row for row in rows if row.relation == name] for name in schema.names]
    in_turn = (row for row in chain(*zip_longest(*by_relation)) if row is not None)
    return [row for row, _ in zip(in_turn, range(most), strict=False)]


def by_heart(params: FinetuningParams) -> FinetuningParams:
    """A recipe cut down to its classifier and optimiser, to learn rows by heart."""
    return params.model_copy(
        update={
            "synthetic": False,
            "alignment": None,
            "trigger_weight": 0.0,
            "average": None,  # of a short run it is half the start
            "least_probability": 0.0,
            "samples_per_relation": min(params.samples_per_relation, PRESENTATIONS),
        }
    )


def try_finetuning(
    start: Checkpoint,
    rows: Sequence[Instance],
    corpus: Sequence[Instance],
    schema: RelationSchema,
    params: FinetuningParams,
) -> Trial:
    """Fine-tunes on a few rows and labels the same rows.

    Args:
        start: The backbone.
        rows: A few rows.
        corpus: All rows, whose lengths are looked at.
        schema: The relations.
        params: The variant's recipe.
    """
    from tkre.modeling.runtime import on_device
    from tkre.training.finetuning import finetune
    from tkre.training.inference import predict
    from tkre.training.scoring import labels_of

    begun = time.perf_counter()
    recipe = by_heart(params)
    trained, losses = finetune(
        start, rows, [], schema, recipe, data="a trial", seed=SEED, description="learning by heart"
    )
    seconds = time.perf_counter() - begun
    model: RelationClassifier = trained.model
    begun = time.perf_counter()
    with on_device(model):
        labels = labels_of(predict(model, trained.tokenizer, rows), model)
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
    """Seconds that a step of each stage takes, from a few steps on the rows themselves."""
    return {stage: _seconds_a_step(stage, start, rows, schema, params) for stage in params.stages}


def _seconds_a_step(
    stage: str,
    start: Checkpoint,
    rows: Sequence[Instance],
    schema: RelationSchema,
    params: PretrainingParams,
) -> float:
    from tkre.training.pretraining import pretrain

    part = params.of(stage)
    assert part is not None
    short = params.model_copy(update={stage: part.model_copy(update={"epochs": SPEED_EPOCHS})})
    begun = time.perf_counter()
    on_pairs = STAGES[stage].reads == PAIRS
    _, losses = pretrain(
        start,
        rows if on_pairs else knowledge_texts(rows, [], schema, (SUPPORT,)),
        schema,
        short,
        stage,
        data="a trial",
        seed=SEED,
        description="measuring",
    )
    return (time.perf_counter() - begun) / max(1, len(losses))
