"""Where a classifier was wrong, the most confident errors first: what to read, and perhaps mend."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from tkre.evaluation.trust import Trust, calibrate
from tkre.records import Instance, Span

COLUMNS = [
    "id", "text", "head_start", "head_end", "tail_start", "tail_end",
    "relation", "predicted", "probability", "gold_probability",
]  # fmt: skip


def errors_table(rows: Sequence[Instance], predictions: pd.DataFrame, trust: Trust) -> pd.DataFrame:
    """All rows that were labelled wrongly.

    Args:
        rows: Those that were scored.
        predictions: For them, in the same order.
        trust: Of the classifier, whose temperature makes confidences of probabilities.

    Returns:
        A row each: the sentence with the offsets of its mentions, its relation, what it was taken
        for; calibrated probabilities of both. The most confident errors come first.
    """
    calibrated = calibrate(predictions, trust, None)
    wrong = [
        {
            "id": row.id,
            "text": row.text,
            "head_start": row.head.start,
            "head_end": row.head.end,
            "tail_start": row.tail.start,
            "tail_end": row.tail.end,
            "relation": row.relation,
            "predicted": guess["predicted"],
            "probability": guess["probability"],
            "gold_probability": guess[f"p.{row.relation}"],
        }
        for row, guess in zip(rows, calibrated.to_dict("records"), strict=True)
        if guess["predicted"] != row.relation
    ]
    table = pd.DataFrame(wrong, columns=COLUMNS)
    return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)


def sentences_of(errors: pd.DataFrame) -> list[Instance]:
    """The sentences of an ``errors_table`` with their mentions, in its order."""
    return [
        Instance(
            str(row["id"]),
            str(row["text"]),
            Span(int(row["head_start"]), int(row["head_end"])),
            Span(int(row["tail_start"]), int(row["tail_end"])),
        )
        for row in errors.to_dict("records")
    ]
