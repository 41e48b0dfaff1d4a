"""Parameters of the report: ``reporting`` in ``conf/base``."""

from __future__ import annotations

from pydantic import Field

from tkre.params import Params


class ReportingParams(Params):
    """What is compared, and how intervals are made.

    Attributes:
        baseline: The variant that differences are taken to.
        resamples: Of the bootstrap.
        confidence: Of its intervals.
        seed: Of the resampling.
    """

    baseline: str = "typ_marker"
    resamples: int = Field(2000, gt=0)
    confidence: float = Field(0.95, gt=0, lt=1)
    seed: int = 0
