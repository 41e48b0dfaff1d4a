"""What the draws of an experiment had to work with, so that nothing is short or left out unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tkre.grid import Draw, parse_draw


def draws_table(
    readings: Sequence[Mapping[str, Any]],
    shots: Sequence[Mapping[str, Any]],
    yields: Sequence[pd.DataFrame],
) -> pd.DataFrame:
    """One row per draw.

    Args:
        readings: What reading each corpus met with.
        shots: The ids of each draw, with what relations lack.
        yields: What became of what was asked, for the draws that have knowledge.

    Returns:
        Rows of the support and validation sets and what relations lack there; bad rows left out
        when the corpus was read; sentences shared with the test split; explanations and synthetic
        sentences that were kept, rejected, and are short.
    """
    of_corpus = {reading["corpus"]: reading for reading in readings}
    of_draw = {frame["draw"].iloc[0]: frame for frame in yields}
    return pd.DataFrame(
        _row(
            parse_draw(s["draw"]),
            s,
            of_corpus[parse_draw(s["draw"]).corpus],
            of_draw.get(s["draw"]),
        )
        for s in shots
    )


def _row(
    draw: Draw, shots: Mapping[str, Any], reading: Mapping[str, Any], yields: pd.DataFrame | None
) -> dict[str, Any]:
    lacking, shared = shots["shortfalls"], shots["sentences_shared_with_test"]
    row: dict[str, Any] = {
        "corpus": draw.corpus,
        "shots": draw.shots,
        "seed": draw.seed,
        "synthetic": draw.synthetic,
        "writer": draw.writer,
        "support": len(shots["support"]),
        "validation": len(shots["validation"]),
        "short_in_support": _listed(lacking["support"]),
        "short_in_validation": _listed(lacking["validation"]),
        "bad_rows_left_out": len(reading["bad_rows"]),
        "types_against_schema": len(reading["type_mismatches"]),
        "shared_with_test": len(shared["support"]) + len(shared["validation"]),
        "passed_over": len(shots["passed_over"]),
        "set_aside": len(shots["set_aside"]),
    }
    if yields is not None:
        for kind, group in yields.groupby("kind"):
            short = {r["relation"]: r["short"] for r in group.to_dict("records") if r["short"]}
            row |= {
                f"{kind}_kept": int(group["kept"].sum()),
                f"{kind}_rejected": int(group["rejected"].sum()),
                f"{kind}_short": _listed(short),
            }
    return row


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
