"""A variant: one way to run a cell, an entry under ``variants`` in ``conf/base``."""

from __future__ import annotations

from tkre.params import Params
from tkre.training.params import FinetuningParams, PretrainingParams


class Variant(Params):
    """A named recipe.

    Attributes:
        backbone: Name of the catalog entry ``backbones.<backbone>``.
        pretraining: Further pre-training on knowledge; None starts from the backbone as it is.
        finetuning: The classifier and its training.
    """

    backbone: str
    pretraining: PretrainingParams | None = None
    finetuning: FinetuningParams

    @property
    def uses_knowledge(self) -> bool:
        """Whether it needs what a language model wrote."""
        return self.pretraining is not None or self.finetuning.uses_knowledge
