"""How long a variant takes: the steps of its recipe, times what a step takes on this machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tkre.knowledge import EXPLANATION, SUPPORT, SYNTHETIC
from tkre.training.params import FinetuningParams, PretrainingParams, Stage


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
    params: PretrainingParams, sizes: Sizes, seconds_a_step: Mapping[Stage, float]
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
        part = getattr(params, stage)
        sources = [s for s in params.sources if not (stage == "pairs" and s == EXPLANATION)]
        rows = sum(texts[source] for source in sources)
        if stage == "pairs" and part.swap and sizes.support:
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
