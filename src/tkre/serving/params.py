"""Parameters of the inference pipeline: ``inference`` in ``conf/base``."""

from __future__ import annotations

from tkre.core.params import Params
from tkre.evaluation.params import Share


class InferenceParams(Params):
    """Sentences to label, and the classifier that labels them.

    Attributes:
        classifier: Name of the cell whose newest classifier is used.
        sentences: File of the sentences; the catalog entry ``inference.sentences`` reads it.
        wanted_precision: Answers below the threshold for it are withheld: one of
            ``calibrator.precisions``; None withholds none.
    """

    classifier: str
    sentences: str
    wanted_precision: Share | None = None
