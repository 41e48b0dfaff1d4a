"""A short real training: can the variant's classifier learn a few rows by heart, and how fast?

If it cannot, something is wrong with labels or tags rather than with the method: this is what the
maintainers of other relation extractors tell those who see low scores to try first. The same runs
measure this machine. torch is imported inside.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from tkre.corpora.schema import RelationSchema
from tkre.knowledge import SUPPORT, knowledge_texts
from tkre.records import Instance
from tkre.training.params import FinetuningParams, PretrainingParams, Stage

if TYPE_CHECKING:  # they import torch
    from tkre.modeling.checkpoint import Checkpoint
    from tkre.modeling.classifier import RelationClassifier

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
            "presentations": min(params.presentations, PRESENTATIONS),
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
    from tkre.modeling.device import on_device
    from tkre.training.finetuning import finetune
    from tkre.training.prediction import predict
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
) -> dict[Stage, float]:
    """Seconds that a step of each stage takes, from a few steps on the rows themselves."""
    return {stage: _seconds_a_step(stage, start, rows, schema, params) for stage in params.stages}


def _seconds_a_step(
    stage: Stage,
    start: Checkpoint,
    rows: Sequence[Instance],
    schema: RelationSchema,
    params: PretrainingParams,
) -> float:
    from tkre.training.pair_contrast import pretrain_pairs
    from tkre.training.pretraining import pretrain

    part = getattr(params, stage)
    short = params.model_copy(update={stage: part.model_copy(update={"epochs": SPEED_EPOCHS})})
    begun = time.perf_counter()
    told = {"data": "a trial", "seed": SEED, "description": "measuring"}
    if stage == "pairs":
        _, losses = pretrain_pairs(start, rows, schema, short, **told)  # type: ignore[arg-type]
    else:
        texts = knowledge_texts(rows, [], schema, (SUPPORT,))
        _, losses = pretrain(start, texts, schema, short, stage, **told)  # type: ignore[arg-type]
    return (time.perf_counter() - begun) / max(1, len(losses))
