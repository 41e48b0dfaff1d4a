"""Scores on natural text: all pairs of raw sentences, most of which hold no relation.

A false assertion is a predicted relation that a pair does not have. It is *inverted* if the pair
with head and tail exchanged has that relation, a *no-relation* one if the pair has none, and else
*other*: the pair has another relation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tkre.core.instance import Instance
from tkre.evaluation.bootstrap import micro_intervals
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.predictions import sentences_of
from tkre.evaluation.results import by_setting, std_over_seeds

CORPUS, LANGUAGE_MODEL = "the corpus", "a language model"
FALSE = ("no_relation", "inverted", "other")  # kinds of false assertions
SCORES = ("precision", "recall", "f1")


def natural_scores(
    predictions: pd.DataFrame, rows: Sequence[Instance], negative: str | None
) -> dict[str, Any]:
    """Figures of natural text that other scores do not have.

    Args:
        predictions: Frame with ``gold``, ``predicted`` and ``sentence``.
        rows: Scored rows, in the same order.
        negative: Negative label.

    Returns:
        ``labelled_by``; ``negative_share``, per cent, None without a row; ``asserted``, the number
        of predicted relations; ``false_assertions`` by kind; ``sentences``: by the name of each,
        numbers of right predictions, predicted and gold relations.
    """
    gold, predicted = predictions["gold"].tolist(), predictions["predicted"].tolist()
    held = {(row.text, row.head, row.tail): label for row, label in zip(rows, gold, strict=True)}
    sentences: dict[str, list[int]] = {}
    wrong: Counter[str] = Counter()
    named = sentences_of(predictions)  # alike for all seeds, whichever rows of a sentence they have
    for row, sentence, label, guess in zip(rows, named, gold, predicted, strict=True):
        asserts = guess != negative
        counts = sentences.setdefault(sentence, [0, 0, 0])
        for n, counted in enumerate((asserts and guess == label, asserts, label != negative)):
            counts[n] += counted
        if asserts and guess != label:
            inverted = held.get((row.text, row.tail, row.head)) == guess
            kind = "no_relation" if label == negative else "other"
            wrong["inverted" if inverted else kind] += 1
    share = 100 * gold.count(negative) / len(gold) if gold else None
    return {
        "labelled_by": LANGUAGE_MODEL if any(row.annotated for row in rows) else CORPUS,
        "negative_share": share,
        "asserted": sum(guess != negative for guess in predicted),
        "false_assertions": {kind: wrong[kind] for kind in FALSE},
        "sentences": sentences,
    }


def natural_table(
    metrics: Sequence[Mapping[str, Any]],
    calibration_scores: Sequence[Mapping[str, Any]],
    params: ReportingParams,
) -> pd.DataFrame:
    """One row per place of the grid and variant, means over seeds.

    Args:
        metrics: Scores of each cell on natural text (``results.score_cell``, ``natural_scores``).
        calibration_scores: Scores of its calibrator there, in the same order.
        params: Parameters of the bootstrap.

    Returns:
        Scores with the ends of their intervals, what these are over, counts of assertions, and
        for each wanted precision what is kept: ``kept_at_<precision>`` of the answers, per cent,
        their ``precision_at_`` and
        their ``recall_at_`` of all relations. A seed without a threshold keeps nothing.
    """
    rows = []
    for setting, numbers in by_setting(metrics):
        cells = pd.DataFrame([metrics[n] for n in numbers])
        row = setting | {
            "seeds": len(numbers),
            "labelled_by": cells["labelled_by"].iloc[0],
            "fitted_on": calibration_scores[numbers[0]]["fitted_on"],
            **{name: cells[name].astype(float).mean() for name in ("rows", "negative_share")},
        }
        if cells["rows"].all():
            row |= _intervals(cells, params)
            row["intervals_over"] = "seeds and sentences" if len(numbers) > 1 else "sentences"
        row["asserted"] = cells["asserted"].mean()
        for kind in FALSE:
            row[f"false_{kind}"] = cells["false_assertions"].map(lambda c, k=kind: c[k]).mean()
        rows.append(row | _kept([calibration_scores[n] for n in numbers]))
    return pd.DataFrame(rows)


def _intervals(cells: pd.DataFrame, params: ReportingParams) -> dict[str, float]:
    intervals = micro_intervals(cells["sentences"].tolist(), params)
    figures: dict[str, float] = {}
    for name in SCORES:
        values = cells[f"micro_{name}"].astype(float)
        low, high = intervals[name]
        figures |= {name: values.mean(), f"{name}_low": low, f"{name}_high": high}
    return figures | {"f1_std": std_over_seeds(cells["micro_f1"].astype(float))}


def _kept(scores: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    kept: dict[str, float] = {}
    thresholds = pd.DataFrame([t for score in scores for t in score["thresholds"]])
    if thresholds.empty:
        return kept
    for wanted, of_seeds in thresholds.groupby("wanted"):
        at = f"{100 * float(str(wanted)):g}"
        for name, column in (
            ("kept", "coverage"),
            ("precision", "precision"),
            ("recall", "recall"),
        ):
            kept[f"{name}_at_{at}"] = of_seeds[column].astype(float).mean()
    return kept
