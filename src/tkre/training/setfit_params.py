"""Parameters of the SetFit baseline: ``variants.<name>.setfit`` in ``conf/base``."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal

from pydantic import Field

from tkre.params import Params


class MissingPackage(RuntimeError):
    """A package that a variant needs is not installed; the message says how to install it."""


class SetFitParams(Params):
    """SetFit, by its own package, on the golden rows (``training.setfit_baseline``).

    Attributes:
        typed_markers: Whether the markers in the text hold entity types, where there are any.
        max_length: Longest sentence in tokens; a longer one is cut at its end.
        presentations: How many sentences of a relation are shown in all, two with every pair, as
            many pairs alike as not; None takes every pair there is once, as SetFit does by
            itself, which grows with the square of the rows.
        learning_rate: Of the sentence encoder.
        batch_size: Pairs per step.
        precision: Of the matrix products; ``auto`` is bf16 where the GPU or CPU has it, else fp32.
    """

    typed_markers: bool = True
    max_length: int = Field(128, ge=16)
    presentations: int | None = Field(None, gt=0)
    learning_rate: float = Field(2e-5, gt=0)
    batch_size: int = Field(16, gt=0)
    precision: Literal["auto", "fp32", "bf16"] = "auto"

    def iterations(self, rows: int, relations: int) -> int | None:
        """SetFit's word for how often a row leads a pair that is alike, and one that is not."""
        if self.presentations is None:
            return None
        return max(1, round(self.presentations * relations / (4 * rows)))

    def check(self) -> None:
        """Refuses a run without the package.

        Raises:
            MissingPackage: It is not installed; the message says how to install it.
        """
        if find_spec("setfit") is None:
            raise MissingPackage(
                "a variant with `setfit` needs the package setfit, which is not installed: "
                "pip install -c constraints.txt -e '.[baselines]'"
            )
