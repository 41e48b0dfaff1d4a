"""Split of scored rows into explicit and implicit ones, and scores of both.

A sentence is *explicit* if a word states its relation ("was born in"), *implicit* if the relation
has to be inferred ("her first cry was heard in"). A flag of the corpus decides where there is one.
Elsewhere a row is explicit if a content word of the triggers quoted for its relation's support
stands in it, in any form, outside the mentions. That is relative to the sample on purpose: it asks
whether a classifier knows a relation beyond the words of its support.

Rows of the negative relation are of neither kind: predictions for them are missing in both F1s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tkre.core.instance import Instance
from tkre.core.schema import RelationSchema
from tkre.core.text import find_word_forms
from tkre.evaluation.bootstrap import Resamples, interval
from tkre.evaluation.metrics import Counts, counts
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.predictions import sentences_of
from tkre.evaluation.results import (
    GROUP_KEYS_WITH_VARIANT,
    IncompleteExperiment,
    by_setting,
    std_over_seeds,
)

# Values of ``decided_by``: flag of the corpus, triggers; undecidable; negative relation.
FLAG, TRIGGERS, UNDECIDED, NEGATIVE = "flag", "triggers", "undecided", "negative"
KINDS = ("explicit", "implicit")
MARK_COLUMNS = ["id", "implicit", "decided_by"]
IMPLICIT_COLUMNS = [
    *GROUP_KEYS_WITH_VARIANT, "seeds",
    *(f"{kind}_{what}" for kind in KINDS
      for what in ("f1", "f1_std", "recall", "recall_std", "rows")),
    "undecided_rows", "negative_rows", "decided_by",
    "difference", "difference_low", "difference_high",
]  # fmt: skip


def split_by_explicitness(
    rows: Sequence[Instance], explained: Sequence[Instance], schema: RelationSchema
) -> pd.DataFrame:
    """Split rows into explicit and implicit ones.

    Args:
        rows: Scored rows with their gold relations.
        explained: Support with quoted triggers; empty if it was not explained.
        schema: Schema with the negative relation.

    Returns:
        One row each: id, ``implicit`` (None for a negative row, and without a flag and a content
        trigger of its relation), ``decided_by``.
    """
    triggers: dict[str | None, set[str]] = {}
    for shown in explained:
        words = stating_words(shown, shown.triggers)
        triggers.setdefault(shown.relation, set()).update(words)
    decided: list[tuple[str, bool | None, str]] = []
    for row in rows:
        known = triggers.get(row.relation)
        if row.relation == schema.negative:
            decided.append((row.id, None, NEGATIVE))
        elif row.implicit is not None:
            decided.append((row.id, row.implicit, FLAG))
        elif known:
            decided.append((row.id, not stating_words(row, known), TRIGGERS))
        else:
            decided.append((row.id, None, UNDECIDED))
    return pd.DataFrame(decided, columns=MARK_COLUMNS, dtype=object)


def stating_words(row: Instance, triggers: Iterable[str]) -> set[str]:
    """Words of a sentence, outside its mentions, that are forms of content words of triggers."""
    found = find_word_forms(row.text, " ".join(triggers))
    return {w.of(row.text) for w in found if not w.overlaps(row.head) and not w.overlaps(row.tail)}


def implicit_table(
    metrics: Sequence[Mapping[str, Any]],
    predictions: Sequence[pd.DataFrame],
    marks: Sequence[pd.DataFrame],
    params: ReportingParams,
) -> pd.DataFrame:
    """One row per setting (all of a cell but its seed): explicit against implicit.

    Args:
        metrics: Scores of every cell, with its coordinates and negative label.
        predictions: Predictions of every cell, in the same order.
        marks: ``split_by_explicitness`` of the sample of every cell, in the same order.
        params: Parameters of the bootstrap.

    Returns:
        Micro-F1 and recall of either kind in per cent (mean and sample standard deviation
        over seeds, missing without such rows) and its rows (mean over seeds); undecided and
        negative rows; the ways of decision; explicit minus implicit F1 with its bootstrap interval.

    Raises:
        IncompleteExperiment: Scored rows are not marked.
    """
    cells = [
        _Cell(m, p, _aligned(mark, p, m))
        for m, p, mark in zip(metrics, predictions, marks, strict=True)
    ]
    rows = [
        setting | _row([cells[number] for number in numbers], params)
        for setting, numbers in by_setting(metrics)
    ]
    return pd.DataFrame(rows, columns=IMPLICIT_COLUMNS)


class _Cell:
    """Counts of either kind over all rows of a cell, zero for rows of the other kind."""

    def __init__(
        self, metrics: Mapping[str, Any], predictions: pd.DataFrame, marks: pd.DataFrame
    ) -> None:
        self.sentences = sentences_of(predictions)
        self.decided_by = marks["decided_by"]
        gold, guessed = predictions["gold"].tolist(), predictions["predicted"].tolist()
        whole = counts(gold, guessed, metrics["negative"], "micro")
        self.members = {kind: _members(marks, kind) for kind in KINDS}
        self.counts = {kind: _only(whole, rows) for kind, rows in self.members.items()}

    def scores(self, kind: str) -> dict[str, float]:
        rows, of_kind = self.members[kind].sum(), self.counts[kind]
        if not rows:
            return {f"{kind}_f1": np.nan, f"{kind}_recall": np.nan, f"{kind}_rows": 0}
        return {
            f"{kind}_f1": float(of_kind.f1()[0]),
            f"{kind}_recall": float(100 * of_kind.correct.sum() / rows),
            f"{kind}_rows": int(rows),
        }


def _row(cells: Sequence[_Cell], params: ReportingParams) -> dict[str, Any]:
    ways = {way for cell in cells for way in cell.decided_by if way in (FLAG, TRIGGERS)}
    row: dict[str, Any] = {
        "seeds": len(cells),
        "undecided_rows": np.mean([(c.decided_by == UNDECIDED).sum() for c in cells]),
        "negative_rows": np.mean([(c.decided_by == NEGATIVE).sum() for c in cells]),
        "decided_by": " and ".join(sorted(ways)) or "nothing",
    }
    for kind in KINDS:
        scores = pd.DataFrame([cell.scores(kind) for cell in cells])
        row |= scores.mean().to_dict()
        row |= {
            f"{name}_std": std_over_seeds(scores[name]) for name in (f"{kind}_f1", f"{kind}_recall")
        }
    row["difference"] = row["explicit_f1"] - row["implicit_f1"]
    both = all(cell.members[kind].any() for cell in cells for kind in KINDS)
    if both:
        resamples = Resamples([cell.sentences for cell in cells], params)
        explicit, implicit = (
            [resamples.f1(cell.counts[kind], cell.sentences) for cell in cells] for kind in KINDS
        )
        row["difference_low"], row["difference_high"] = interval(explicit, params, implicit)
    return row


def _aligned(
    marks: pd.DataFrame, predictions: pd.DataFrame, metrics: Mapping[str, Any]
) -> pd.DataFrame:
    """The marks in the order of the predictions."""
    found = marks.set_index("id").reindex(predictions["id"])
    if found["decided_by"].isna().any():
        lacking = predictions["id"][found["decided_by"].isna().to_numpy()].tolist()
        raise IncompleteExperiment(
            f"{metrics['corpus']}, K = {metrics['shots']}, seed {metrics['seed']}: "
            f"{metrics['variant']} scored rows that are not in its sample ({lacking[0]}, "
            f"{len(lacking)} in all), so its predictions are older than the corpus; run it again"
        )
    return found


def _members(marks: pd.DataFrame, kind: str) -> npt.NDArray[np.bool_]:
    return marks["implicit"].eq(kind == "implicit").to_numpy(dtype=bool)


def _only(whole: Counts, rows: npt.NDArray[np.bool_]) -> Counts:
    kept = rows[:, None].astype(float)
    return Counts(whole.correct * kept, whole.guessed * kept, whole.gold * kept)
