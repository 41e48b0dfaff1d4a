"""What a filter of synthetic sentences finds and saves, and which golden labels are doubted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tkre.evaluation.tables import PLACE
from tkre.grid import parse_draw

FOUND = ["rejected", "precision", "recall", "lost"]
# Where a filter works; the noise last, so that the place without it is found.
WHERE = [*(column for column in PLACE if column not in ("noise", "filtered")), "noise"]
COLUMNS = [
    *WHERE, "variant", *FOUND,
    "clean_f1", "unfiltered_f1", "filtered_f1", "recovered", "seeds",
]  # fmt: skip
# Doubted rows that are listed for a draw.
MOST_DOUBTED = 10


def filter_table(cells: pd.DataFrame, scores: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each share of planted noise and each variant, means over seeds.

    Args:
        cells: Of an experiment, filtered and not.
        scores: Of the filters of its draws (``generation.label_noise.filter_scores``).

    Returns:
        ``rejected`` in per cent of the sentences; ``precision``, ``recall`` of the refusals
        against what was planted, and ``lost``, the right ones that were refused, in per cent;
        micro-F1 without noise and filter, with noise, with noise and filter; ``recovered``, the
        share in per cent of the F1 that noise costs which the filter gives back (missing without
        noise, or where noise costs nothing). Cells whose other halves are not part of the
        experiment have no row.
    """
    found = pd.DataFrame([_found(s) for s in scores])
    if found.empty:
        return pd.DataFrame(columns=COLUMNS)
    means = found.groupby(WHERE)[FOUND].mean()
    f1 = cells.groupby([*WHERE, "filtered", "variant"])["micro_f1"].agg(["mean", "size"])
    rows = []
    for (*at, filtered, variant), score in f1.iterrows():
        key, clean = (*at, False, variant), (*at[:-1], 0, False, variant)
        if not filtered or tuple(at) not in means.index or key not in f1.index:
            continue
        without = float(f1.loc[clean, "mean"]) if clean in f1.index else float("nan")
        noisy, saved = float(f1.loc[key, "mean"]), float(score["mean"])
        costs = without - noisy
        rows.append(
            dict(zip(WHERE, at, strict=True))
            | {"variant": variant, **means.loc[tuple(at)].to_dict()}
            | {"clean_f1": without, "unfiltered_f1": noisy, "filtered_f1": saved}
            | {"recovered": 100 * (saved - noisy) / costs if costs > 0 else float("nan")}
            | {"seeds": int(score["size"])}
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def doubts_table(doubts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The most doubted support rows of every draw.

    Args:
        doubts: Rankings by name of their draw, the most doubted first.
    """
    columns = ["corpus", "shots", "synthetic", "writer", "seed", "rank"]
    tables = []
    for name, ranking in doubts.items():
        draw = parse_draw(name)
        top = ranking.head(MOST_DOUBTED).reset_index(drop=True)
        place = [draw.corpus, draw.shots, draw.synthetic, draw.writer, draw.seed]
        for n, (column, value) in enumerate(zip(columns, place, strict=False)):
            top.insert(n, column, value)
        top.insert(len(place), "rank", range(1, len(top) + 1))
        tables.append(top)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _found(scores: Mapping[str, Any]) -> dict[str, Any]:
    draw = parse_draw(scores["draw"])
    rejected = 100 * scores["rejected"] / scores["rows"] if scores["rows"] else float("nan")
    return {
        **{column: getattr(draw, column) for column in WHERE},
        **{name: scores[name] for name in FOUND[1:]},
        "rejected": rejected,
    }
