"""Error analysis: errors by confidence, confused pairs of relations, collapse figures of cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd

from tkre.core.instance import Instance, Span
from tkre.core.schema import RelationSchema
from tkre.evaluation.calibrator import Calibrator, calibrate
from tkre.evaluation.params import DiagnosisParams
from tkre.evaluation.results import GROUP_KEYS_WITH_VARIANT, by_setting

ERROR_COLUMNS = [
    "id", "text", "head_start", "head_end", "tail_start", "tail_end",
    "gold", "predicted", "probability", "gold_probability",
]  # fmt: skip


def errors_table(
    rows: Sequence[Instance], predictions: pd.DataFrame, calibrator: Calibrator
) -> pd.DataFrame:
    """Rows that were labelled wrongly, by falling confidence; predictions are in their order.

    Returns:
        One row per error: sentence, offsets of its mentions, gold and predicted relation, and
        calibrated probabilities of both.
    """
    calibrated = calibrate(predictions, calibrator, None)
    wrong = [
        {
            "id": row.id,
            "text": row.text,
            "head_start": row.head.start,
            "head_end": row.head.end,
            "tail_start": row.tail.start,
            "tail_end": row.tail.end,
            "gold": row.relation,
            "predicted": guess["predicted"],
            "probability": guess["probability"],
            "gold_probability": guess[f"p.{row.relation}"],
        }
        for row, guess in zip(rows, calibrated.to_dict("records"), strict=True)
        if guess["predicted"] != row.relation
    ]
    table = pd.DataFrame(wrong, columns=ERROR_COLUMNS)
    return table.sort_values("probability", ascending=False, kind="stable", ignore_index=True)


def sentences_of(errors: pd.DataFrame) -> list[Instance]:
    """Sentences of an ``errors_table`` with their mentions, in its order."""
    return [
        Instance(
            str(row["id"]),
            str(row["text"]),
            Span(int(row["head_start"]), int(row["head_end"])),
            Span(int(row["tail_start"]), int(row["tail_end"])),
        )
        for row in errors.to_dict("records")
    ]


PAIRS_COLUMNS = [
    *GROUP_KEYS_WITH_VARIANT, "gold", "predicted", "count", "share_of_gold", "share_of_errors",
    "centroid_similarity", "definition_similarity", "diagnosis",
]  # fmt: skip
CELLS_COLUMNS = [
    *GROUP_KEYS_WITH_VARIANT, "seed", "rows", "rows_with_inverse", "direction_flips",
    "gold_entropy", "predicted_entropy", "never_predicted", "nearest_centroid_mean",
    "nearest_centroid_min", "closest_centroids", "alignment", "uniformity",
]  # fmt: skip
_SIMILARITIES = ["centroid_similarity", "definition_similarity"]


@dataclass(frozen=True)
class DiagnosedCell:
    """Scores and features of a cell.

    Attributes:
        metrics: Scores with the cell's coordinates.
        predictions: Frame with ``gold`` and ``predicted``.
        schema: Schema of its corpus.
        class_centroids: ``representations.similar_pairs``; None where not measured.
        alignment_uniformity: ``representations.alignment_uniformity``; None where not measured.
    """

    metrics: Mapping[str, Any]
    predictions: pd.DataFrame
    schema: RelationSchema
    class_centroids: pd.DataFrame | None = None
    alignment_uniformity: Mapping[str, Any] | None = None


def confused_pairs(cells: Sequence[DiagnosedCell], params: DiagnosisParams) -> pd.DataFrame:
    """Pairs of relations by setting (all of a cell but its seed), the most confused first.

    Returns:
        A row for each of the ``pairs`` most confused ordered pairs (gold, predicted), and, where
        that leaves room, for pairs that nothing confused but that are too close (once, not in
        both orders). ``count`` is a mean over seeds, ``share_of_gold`` per cent of the gold
        relation's rows, ``share_of_errors`` per cent of all wrong rows; similarities are means over
        seeds. ``diagnosis`` lists in words:

        * ``direction``: the predicted relation is the gold one with head and tail exchanged;
        * ``missed``, ``invented``: the predicted, the gold label is the negative one;
        * ``definitions too close``, ``centroids too close``: their similarity reaches the limit of
          ``params``. Definitions of inverse relations are close by nature and not counted.
    """
    tables = [
        _pairs([cells[number] for number in numbers], params).assign(**setting)
        for setting, numbers in by_setting([cell.metrics for cell in cells])
    ]
    return pd.concat(tables, ignore_index=True)[PAIRS_COLUMNS]


def collapse_table(cells: Sequence[DiagnosedCell]) -> pd.DataFrame:
    """Signs of collapse, one row per cell.

    Returns:
        ``direction_flips``: per cent of the rows whose relation has another one as its inverse
        (``rows_with_inverse``) that were labelled with the inverse. Entropies of gold and predicted
        labels in bits: predicting few labels lowers the second. Relations with gold rows that were
        never predicted. Distance (1 - similarity) of each centroid to the nearest other one, mean
        and minimum, and the closest two (the mean over all pairs is much the same for any
        classifier). Alignment and uniformity of the features.
    """
    rows = [
        setting | _figures(cells[number])
        for setting, numbers in by_setting([cell.metrics for cell in cells])
        for number in numbers
    ]
    return pd.DataFrame(rows, columns=CELLS_COLUMNS)


def _pairs(cells: Sequence[DiagnosedCell], params: DiagnosisParams) -> pd.DataFrame:
    schema = cells[0].schema
    pairs = pd.DataFrame(permutations(schema.names, 2), columns=["gold", "predicted"])
    for cell in cells:
        wrong = cell.predictions[cell.predictions["gold"] != cell.predictions["predicted"]]
        found = wrong.groupby(["gold", "predicted"]).size()
        pairs[f"count_{cell.metrics['seed']}"] = _looked_up(pairs, found).fillna(0)
    pairs["count"] = pairs.filter(like="count_").mean(axis=1)
    gold = pd.concat([cell.predictions["gold"] for cell in cells]).value_counts() / len(cells)
    pairs["share_of_gold"] = 100 * pairs["count"] / pairs["gold"].map(gold)
    errors = pairs["count"].sum()
    pairs["share_of_errors"] = 100 * pairs["count"] / errors if errors else 0.0
    pairs[_SIMILARITIES] = np.nan
    if alike := [cell.class_centroids for cell in cells if cell.class_centroids is not None]:
        inverted = [
            each.rename(columns={"relation": "other", "other": "relation"}) for each in alike
        ]
        means = pd.concat([*alike, *inverted]).groupby(["relation", "other"])[_SIMILARITIES].mean()
        for name in _SIMILARITIES:
            pairs[name] = _looked_up(pairs, means[name])
    pairs["diagnosis"] = [_diagnosis(pair, schema, params) for pair in pairs.to_dict("records")]
    too_close = pairs["diagnosis"].str.contains("too close") & (pairs["gold"] < pairs["predicted"])
    # A pair that nothing confused is listed in one order, and not beside its confused inverse.
    other_way = _looked_up(pairs, pairs.set_index(["predicted", "gold"])["count"])
    kept = pairs[(pairs["count"] > 0) | (too_close & (other_way == 0))]
    order = ["count", "definition_similarity"]
    return kept.sort_values(order, ascending=False, kind="stable").head(params.pairs)


def _looked_up(pairs: pd.DataFrame, values: pd.Series) -> Any:
    """Values of pairs from a series by pair; NaN where there is none."""
    index = pd.MultiIndex.from_frame(pairs[["gold", "predicted"]])
    return pd.Series(values.reindex(index).to_numpy(dtype=float), index=pairs.index)


def _diagnosis(pair: Mapping[str, Any], schema: RelationSchema, params: DiagnosisParams) -> str:
    inverse = schema.inverse_of(pair["gold"]) == pair["predicted"]
    close_definitions = pair["definition_similarity"] >= params.close_definitions
    facts = {
        "direction": inverse,
        "missed": pair["predicted"] == schema.negative,
        "invented": pair["gold"] == schema.negative,
        "definitions too close": close_definitions and not inverse,
        "centroids too close": pair["centroid_similarity"] >= params.close_centroids,
    }
    return "; ".join(name for name, holds in facts.items() if holds)


def _figures(cell: DiagnosedCell) -> dict[str, Any]:
    gold, predicted = cell.predictions["gold"], cell.predictions["predicted"]
    inverses = {name: cell.schema.inverse_of(name) for name in cell.schema.names}
    directed = {name: inverse for name, inverse in inverses.items() if inverse not in (None, name)}
    with_inverse = gold.isin(directed)
    flips = with_inverse & (gold.map(directed) == predicted)
    distances = pd.Series(dtype=float)
    if cell.class_centroids is not None:
        pairs = cell.class_centroids.set_index(["relation", "other"])
        distances = 1 - pairs["centroid_similarity"].dropna()
    features = cell.alignment_uniformity or {}
    return {
        "seed": cell.metrics["seed"],
        "rows": len(gold),
        "rows_with_inverse": int(with_inverse.sum()),
        "direction_flips": 100 * flips.sum() / with_inverse.sum() if with_inverse.any() else np.nan,
        "gold_entropy": _entropy(gold),
        "predicted_entropy": _entropy(predicted),
        "never_predicted": ", ".join(sorted(set(gold) - set(predicted))),
        "nearest_centroid_mean": _nearest(distances).mean(),
        "nearest_centroid_min": distances.min(),
        "closest_centroids": " / ".join(distances.idxmin()) if len(distances) else "",
        "alignment": features.get("alignment"),
        "uniformity": features.get("uniformity"),
    }


def _nearest(distances: pd.Series) -> pd.Series:
    """The distance of each relation to the nearest other one, from those of unordered pairs."""
    both = [distances.groupby(level=level).min() for level in range(distances.index.nlevels)]
    return pd.concat(both, axis=1).min(axis=1)


def _entropy(labels: pd.Series) -> float:
    """Entropy of the distribution of labels, in bits."""
    shares = labels.value_counts(normalize=True).to_numpy()
    return float(-(shares * np.log2(shares)).sum()) + 0.0
