"""Results row by row: mistakes, and where two variants differ."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from tkre.evaluation.errors import sentences_of
from tkre.records import from_frame
from tkre.tagged import to_tagged


def confident_mistakes(errors: pd.DataFrame, number: int = 10) -> pd.DataFrame:
    """The wrong predictions that were made with the highest probability, as the report has them.

    Args:
        errors: Of a cell, with calibrated probabilities (``errors.errors_table``).
        number: How many.
    """
    surest = errors.head(number)
    columns = ["id", "relation", "gold_probability", "predicted", "probability"]
    return surest[columns].assign(sentence=[to_tagged(s) for s in sentences_of(surest)])


def outcomes(one: pd.DataFrame, other: pd.DataFrame, names: tuple[str, str]) -> pd.DataFrame:
    """How many rows both variants have right, one, the other, neither.

    Args:
        one: Predictions of a cell.
        other: Of another, for the same rows.
        names: Of the two.

    Raises:
        ValueError: They labelled different rows.
    """
    first, second = _right(one, other)
    labels = {True: "right", False: "wrong"}
    return pd.crosstab(
        first.map(labels).rename(names[0]), second.map(labels).rename(names[1])
    ).reindex(index=["right", "wrong"], columns=["right", "wrong"], fill_value=0)


def gained(one: pd.DataFrame, other: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """The rows that ``other`` has right and ``one`` has wrong; exchange them for those lost.

    Args:
        one: Predictions of a cell.
        other: Of another, for the same rows.
        rows: The instances.
    """
    first, second = _right(one, other)
    table = pd.DataFrame(
        {"id": one["id"], "relation": one["relation"], "one_said": one["predicted"]}
    )[~first & second]
    return table.merge(_sentences(rows), on="id", how="left")


def by_relation(metrics: Iterable[dict[str, object]]) -> pd.DataFrame:
    """F1 of every relation, a column for each cell, the widest difference first."""
    columns = {}
    for cell in metrics:
        scores = pd.DataFrame(cell["by_relation"]).set_index("relation")["f1"]
        columns[f"{cell['variant']}, seed {cell['seed']}"] = scores
    table = pd.DataFrame(columns)
    spread = table.max(axis=1) - table.min(axis=1)
    return table.loc[spread.sort_values(ascending=False, kind="stable").index]


def _right(one: pd.DataFrame, other: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    if one["id"].tolist() != other["id"].tolist():
        raise ValueError(
            f"predictions of {len(one)} and of {len(other)} rows, not of the same ones: compare "
            "variants of one corpus, K and seed"
        )
    first, second = one.reset_index(drop=True), other.reset_index(drop=True)
    return first["relation"] == first["predicted"], second["relation"] == second["predicted"]


def _sentences(rows: pd.DataFrame) -> pd.DataFrame:
    instances = from_frame(rows)
    return pd.DataFrame(
        {"id": [i.id for i in instances], "sentence": [to_tagged(i) for i in instances]}
    )
