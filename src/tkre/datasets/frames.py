"""Pandera schemas of the frames that cross a catalog boundary, named by ``validator:`` entries.

Kedro imports this module when it saves the first such frame: commands that save none do not load
pandera. Columns that a schema does not name are allowed, and dtypes are free: a column of a frame
without rows has none.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import pandera.pandas as pa

from tkre.generation.rejections import ANNOTATION, CLASSIFICATION, EXPLANATION, SYNTHESIS


def _texts(*names: str, nullable: bool = False) -> dict[str, pa.Column]:
    check = pa.Check(lambda value: isinstance(value, str), element_wise=True, error="is no text")
    return {name: pa.Column(checks=check, nullable=nullable) for name in names}


def _numbers(
    *names: str, least: float | None = None, most: float | None = None, nullable: bool = False
) -> dict[str, pa.Column]:
    checks = [] if least is None else [pa.Check.ge(least)]
    checks += [] if most is None else [pa.Check.le(most)]
    return {name: pa.Column(checks=checks, nullable=nullable) for name in names}


def _frame(*columns: dict[str, pa.Column], **checks: Any) -> pa.DataFrameSchema:
    """A schema of columns, with checks of the whole frame by their messages."""
    return pa.DataFrameSchema(
        {name: column for some in columns for name, column in some.items()},
        checks=[pa.Check(check, error=name.replace("_", " ")) for name, check in checks.items()],
    )


def _is_of_prediction(frame: pd.DataFrame) -> bool:
    """Whether ``probability`` is ``p.<predicted>`` in every row."""
    columns = {f"p.{relation}" for relation in frame["predicted"]}
    return columns <= set(frame.columns) and all(
        (rows[f"p.{relation}"] == rows["probability"]).all()
        for relation, rows in frame.groupby("predicted", sort=False)
    )


# Probabilities are sums of rounded numbers: a little more than 1 is no error.
_PROBABILITIES = {
    **_numbers("probability", least=0, most=1 + 1e-6),
    r"^p\..+": pa.Column(checks=[pa.Check.ge(0), pa.Check.le(1 + 1e-6)], regex=True),
}
_KEYS = {
    **_texts("corpus", "chosen", "llm", "variant"),
    **_numbers("shots", "synthetic", "noise", "annotated", least=0),
}

ANNOTATIONS = _frame(_texts("id", "text", "relation"), _numbers("confidence", least=0, most=1))
RAW_PREDICTIONS = _frame(
    _texts("id", "predicted"),
    _PROBABILITIES,
    probability_is_not_that_of_the_predicted_relation=_is_of_prediction,
)
PREDICTIONS = _frame(
    _texts("id", "gold", "predicted"),
    _PROBABILITIES,
    probability_is_not_that_of_the_predicted_relation=_is_of_prediction,
)
LOSSES = _frame(
    _numbers("epoch", "step", least=1),
    steps_are_not_in_order=lambda frame: frame["step"].is_monotonic_increasing,
)
CELLS = _frame(
    _KEYS,
    _numbers("seed", "rows", "seconds", least=0),
    _numbers(
        "micro_precision", "micro_recall", "micro_f1", "official_f1",
        least=0, most=100, nullable=True,
    ),
)  # fmt: skip
SUMMARY = _frame(
    _KEYS,
    _texts("metric"),
    _numbers("seeds", least=1),
    _numbers("mean", "difference", "difference_low", "difference_high", nullable=True),
    _numbers("std", least=0, nullable=True),
)
_KINDS = {
    "kind": pa.Column(checks=pa.Check.isin([EXPLANATION, SYNTHESIS, ANNOTATION, CLASSIFICATION]))
}
REJECTS = _frame(
    _KINDS,
    _texts("relation", "request_id", "reason"),
    _texts("detail", "text", nullable=True),  # an empty text comes back from a CSV file as NaN
)
YIELD = _frame(
    _KINDS,
    _texts("relation"),
    _numbers("wanted", "requested", "answered", "kept", "surplus", "short", "rejected", least=0),
    short_is_not_what_is_missing=lambda frame: (
        frame["short"] == (frame["wanted"] - frame["kept"]).clip(lower=0)
    ).all(),
)
