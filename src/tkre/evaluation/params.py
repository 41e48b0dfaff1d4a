"""Parameters of scoring, calibration and inference (``conf/base``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from tkre.core.params import Params

if TYPE_CHECKING:  # parameters are validated without it
    import pandas as pd

Share = Annotated[float, Field(gt=0, lt=1)]


class DiagnosisParams(Params):
    """Limits of similarity (cosines of deviations from the mean, ``evaluation.representations``).

    Attributes:
        pairs: Most rows of a variant in the table of confused pairs.
        close_definitions: Lowest similarity of definitions that are too close. Among the shipped
            schemas pairs that differ in a word reach 0.6 (the cities, the states somebody lived
            in; agonist, antagonist), and no pair of newsroom, SemEval or SciERC.
        close_centroids: Lowest similarity of class centroids that are too close.
    """

    pairs: int = Field(20, gt=0)
    close_definitions: float = Field(0.6, gt=-1, le=1)
    close_centroids: float = Field(0.6, gt=-1, le=1)


class IntervalParams(Params):
    """Intervals over seeds and test rows (``evaluation.bootstrap``).

    Attributes:
        resamples: Resamples of the bootstrap.
        confidence: Confidence level, e.g. 0.95 for the 2.5th to the 97.5th percentile.
        seed: Seed of the resampling.
    """

    resamples: int = Field(2000, gt=0)
    confidence: float = Field(0.95, gt=0, lt=1)
    seed: int = 0


class ReportingParams(IntervalParams):
    """Baseline and intervals.

    Attributes:
        baseline: Variant that differences are taken to.
        diagnosis: Limits of the table of confused pairs.
        remarks: What must be known of scores that rest on a language model's answers: by the name
            of the model and of the corpus.
    """

    baseline: str = "typ_marker"
    diagnosis: DiagnosisParams = DiagnosisParams()
    remarks: dict[str, dict[str, str]] = Field(default_factory=dict)

    def remarks_on(self, cells: pd.DataFrame, called: Mapping[str, str]) -> list[str]:
        """The remarks on cells, each once.

        Args:
            cells: Has the columns ``corpus`` and ``llm``.
            called: Names of language models, by llm.
        """
        answered = cells[["corpus", "llm"]].drop_duplicates().itertuples(index=False)
        found = (self.remarks.get(called.get(llm, ""), {}).get(corpus) for corpus, llm in answered)
        return list(dict.fromkeys(remark for remark in found if remark))


class CalibrationParams(Params):
    """Wanted precisions and prior shift.

    Attributes:
        precisions: Wanted precisions; a threshold is fitted for each on the validation rows.
        assurance: One-sided level of confidence in a precision on those rows; 0.5 takes the
            observed precision.
        negative_share: Share of the negative relation among the rows that are labelled:
            null leaves it at that of training, a number corrects for it, ``estimated`` estimates
            it from the rows (it is often wrong: docs/method.md).
    """

    precisions: tuple[Share, ...] = (0.8, 0.9, 0.95)
    assurance: float = Field(0.8, ge=0.5, lt=1)
    negative_share: Share | Literal["estimated"] | None = None


class InferenceParams(Params):
    """``inference``: sentences to label, and the classifier that labels them.

    Attributes:
        classifier: Name of the cell whose newest classifier is used.
        sentences: File of the sentences; the catalog entry ``inference.sentences`` reads it.
        wanted_precision: Answers below the threshold for it are withheld: one of
            ``calibration.precisions``; None withholds none.
        balanced: Whether their labels were chosen, about equal shares of each; else they are
            natural text, and a classifier that has a prior of it is used with that.
    """

    classifier: str
    sentences: str
    wanted_precision: Share | None = None
    balanced: bool = False
