"""A frame of sentences, labelled."""

from __future__ import annotations

import pandas as pd

from tkre.evaluation.trust import Trust
from tkre.extractor import RelationExtractor

TYPES = ("head_type", "tail_type")


def label_frame(
    frame: pd.DataFrame, extractor: RelationExtractor, column: str = "sentence"
) -> pd.DataFrame:
    """The frame with what the extractor says of each row.

    Args:
        frame: A column holds tagged sentences; ``head_type`` and ``tail_type`` are used if they
            are there.
        extractor: With a wanted precision it abstains.
        column: Of the sentences.

    Returns:
        A copy with ``relation`` (missing where it abstains), ``probability`` and ``guess``.

    Raises:
        KeyError: There is no such column.
        TagError: The tags of a sentence do not mark one head and one tail.
    """
    if column not in frame:
        raise KeyError(f"no column {column!r}; there are {', '.join(map(str, frame.columns))}")
    types = [name for name in TYPES if name in frame]
    records = frame[[column, *types]].rename(columns={column: "sentence"}).to_dict("records")
    predictions = extractor([{k: v for k, v in r.items() if not pd.isna(v)} for r in records])
    return frame.assign(
        relation=pd.Series([p.relation for p in predictions], dtype=object, index=frame.index),
        probability=[p.probability for p in predictions],
        guess=[p.guess for p in predictions],
    )


def promised(trust: Trust) -> pd.DataFrame:
    """The precisions that a classifier can be held to, and what share is then answered.

    Thresholds that the validation rows do not support are left out.
    """
    return pd.DataFrame(
        [
            {
                "wanted_precision": t.precision,
                "confidence": t.confidence,
                "answered on validation rows": t.validation_coverage,
                "right among them": t.validation_precision,
            }
            for t in trust.thresholds
            if t.confidence is not None
        ],
        columns=["wanted_precision", "confidence", "answered on validation rows",
                 "right among them"],
    )  # fmt: skip
