"""Label noise on purpose: wrong labels planted in synthetic rows, and how many a filter finds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from tkre.corpora.schema import RelationSchema
from tkre.records import Instance


def plant_noise(
    rows: Sequence[Instance], schema: RelationSchema, share: float, seed: int
) -> tuple[list[Instance], pd.DataFrame]:
    """Swaps the labels of a share of the rows for other relations, drawn at random.

    Where rows have entity types, only relations that the schema allows for them are drawn, if
    there are any: a label that the types forbid is found without reading the sentence, and would
    flatter a filter. A row that is wrong at some share is as wrong at every larger one.

    Args:
        rows: With right labels, as far as known.
        schema: The relations.
        share: Of the rows, 0 to 1.
        seed: Of the draw.

    Returns:
        The rows, in their order; which labels were planted: ``id``, ``relation`` (as it was),
        ``planted`` (as it is now; None where it was left alone). Only an evaluation may read it.

    Raises:
        ValueError: The share is not one.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"a share of {share} of the labels: it must be between 0 and 1")
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(rows))
    # One draw per row, whether it is used or not, so that shares are nested.
    draws = generator.random(len(rows))
    chosen = set(order[: round(share * len(rows))].tolist())
    noisy = [
        replace(row, relation=_another(row, schema, draws[n])) if n in chosen else row
        for n, row in enumerate(rows)
    ]
    record = pd.DataFrame(
        {
            "id": [row.id for row in rows],
            "relation": pd.Series([row.relation for row in rows], dtype=object),
            "planted": pd.Series(
                [row.relation if n in chosen else None for n, row in enumerate(noisy)],
                dtype=object,
            ),
        }
    )
    return noisy, record


def filter_scores(planted: pd.DataFrame, rejected: Collection[str]) -> dict[str, float | int]:
    """How well a filter found planted labels.

    Args:
        planted: What ``plant_noise`` recorded.
        rejected: Ids of the rows that the filter refused.

    Returns:
        ``rows``, ``planted``, ``rejected``, ``found`` (both), ``precision`` and ``recall`` of the
        refusals, per cent, and ``lost``, the share of the right labels that were refused. What has
        no denominator is NaN.

    Raises:
        ValueError: The filter refused a row that was not among these.
    """
    if unknown := set(rejected) - set(planted["id"]):
        raise ValueError(
            f"{len(unknown)} refused rows, such as {min(unknown)!r}, are not among those that "
            "labels were planted in: score the filter of this very set"
        )
    wrong = planted["planted"].notna().to_numpy()
    refused = planted["id"].isin(list(rejected)).to_numpy()
    found = int((wrong & refused).sum())
    return {
        "rows": len(planted),
        "planted": int(wrong.sum()),
        "rejected": int(refused.sum()),
        "found": found,
        "precision": _per_cent(found, int(refused.sum())),
        "recall": _per_cent(found, int(wrong.sum())),
        "lost": _per_cent(int((refused & ~wrong).sum()), int((~wrong).sum())),
    }


def _another(row: Instance, schema: RelationSchema, draw: float) -> str:
    """Another relation than the row's, as a draw from 0 to 1 says."""
    others = [name for name in schema.names if name != row.relation]
    allowed = [name for name in others if schema.allows(name, row.head_type, row.tail_type)]
    choice = allowed or others
    return choice[int(draw * len(choice))]


def _per_cent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else float("nan")
