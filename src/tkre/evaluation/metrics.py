"""Scores on label names, in per cent, and ``METRICS``, the registry of a cell's scores.

* *micro*, as TACRED's scorer: over all rows, the negative relation left out. Without a single
  guess precision is 1; without a single positive gold row recall is 0; F1 is 0 either way.
* *semeval*, the official score of SemEval-2010 Task 8: macro-F1 over the relations with their two
  directions joined. A right relation in the wrong direction is wrong, and counts both as a guess
  of that relation and as one that was missed. ``Other`` has no F1, but confusions with it count.
* *macro*: mean F1 of the positive labels that occur.

All are F1 scores from three counts for each group of labels. ``Counts`` holds them row by row, so
that the bootstrap only has to weigh rows. scikit-learn and pandas are imported when a score is
computed: an exported classifier loads without them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from tkre.core.params import Registry

if TYPE_CHECKING:
    import pandas as pd


Metric = Literal["micro", "semeval", "macro"]
_DIRECTION = re.compile(r"\(e[12],e[12]\)$")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Contribution of each row to the counts of each group of labels, N x G arrays of 0 and 1.

    Attributes:
        correct: The predicted label is the gold one and belongs to the group.
        guessed: The predicted label belongs to the group.
        gold: The gold label belongs to the group.
    """

    correct: Floats
    guessed: Floats
    gold: Floats

    def f1(self, weights: npt.NDArray[np.float32] | None = None) -> Floats:
        """Mean F1 over the groups that occur in the gold labels, per cent; 0 if none does.

        Args:
            weights: Multiplicity of each row, B x N; None counts each row once.

        Returns:
            B scores, each over the groups that occur in its rows.
        """
        if weights is None:
            weights = np.ones((1, len(self.gold)), np.float32)
        # Counts are whole numbers, which float32 adds exactly and twice as fast, in one product.
        members = np.hstack([self.correct, self.guessed, self.gold]).astype(np.float32)
        correct, guessed, gold = np.split((weights @ members).astype(float), 3, axis=1)
        total = guessed + gold
        # A group without a gold row has no F1: a resample may lack the rows of a rare label.
        f1 = np.divide(2 * correct, total, out=np.zeros_like(total), where=gold > 0)
        means: Floats = 100 * f1.sum(axis=1) / (gold > 0).sum(axis=1).clip(min=1)
        return means


def undirected(label: str) -> str:
    """A SemEval label without its direction: ``Cause-Effect(e2,e1)`` is ``Cause-Effect``."""
    return _DIRECTION.sub("", label)


_GROUP_OF: dict[Metric, Callable[[str], str]] = {
    "micro": lambda label: "", "semeval": undirected, "macro": str,
}  # fmt: skip


def counts(
    gold: Sequence[str], predicted: Sequence[str], negative: str | None, metric: Metric
) -> Counts:
    """Counts that a metric is computed from.

    Args:
        gold: Gold labels of N rows.
        predicted: Predicted labels, in the same order.
        negative: Label that belongs to no group.
        metric: ``micro``: one group of all positive labels; ``semeval``: one group per relation
            with its directions joined; ``macro``: one group per label.

    Raises:
        ValueError: The numbers of gold and predicted labels differ.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels, but {len(predicted)} predictions")
    golds, guesses = np.asarray(gold, dtype=object), np.asarray(predicted, dtype=object)
    group_of = {label: _GROUP_OF[metric](label) for label in {*gold, *predicted} - {negative}}
    groups = sorted({*group_of.values()})

    def member(labels: npt.NDArray[np.object_]) -> Floats:
        of = np.array([group_of.get(label) for label in labels])
        return np.stack([of == group for group in groups], axis=1).astype(float)

    if not groups:
        nothing = np.zeros((len(gold), 1))
        return Counts(nothing, nothing, nothing)
    in_gold = member(golds)
    return Counts(in_gold * (golds == guesses)[:, None], member(guesses), in_gold)


def micro_scores(
    gold: Sequence[str], predicted: Sequence[str], negative: str | None
) -> dict[str, float]:
    """Precision, recall and F1 over all positive labels (TACRED's scorer), per cent.

    Raises:
        ValueError: The numbers of gold and predicted labels differ.
    """
    from sklearn.metrics import precision_recall_fscore_support

    precision = recall = f1 = 0.0
    if positive := sorted({*gold, *predicted} - {negative}):
        precision, recall, f1, _ = precision_recall_fscore_support(
            gold, predicted, labels=positive, average="micro", zero_division=0
        )
    guessed = any(label != negative for label in predicted)
    return {
        "micro_precision": 100 * float(precision) if guessed else 100.0,
        "micro_recall": 100 * float(recall),
        "micro_f1": 100 * float(f1),
    }


def official_f1(
    gold: Sequence[str], predicted: Sequence[str], negative: str | None, metric: Metric
) -> float:
    """Score of the corpus's own scorer, per cent."""
    return float(counts(gold, predicted, negative, metric).f1()[0])


@dataclass(frozen=True)
class ScoredRows:
    """Labels of N rows, as a score reads them.

    Attributes:
        gold: Gold labels.
        predicted: Predicted labels, in the same order.
        negative: Negative relation; None without one.
        official: Official metric of the corpus.
    """

    gold: Sequence[str]
    predicted: Sequence[str]
    negative: str | None
    official: Metric = "micro"


@dataclass(frozen=True)
class Score:
    """Entry of ``METRICS``: a score of a cell and how it is presented.

    Attributes:
        function: Score of rows, usually in per cent.
        title: Name in the report and in model cards.
        heading: Name in a table of scores; the title if empty.
        kind: Metric type of the Hugging Face Hub; None leaves it out of a card's metadata.
        resampled: Counts that the bootstrap resamples (``Counts.f1`` is the score): those of
            micro-F1, or of the corpus's official metric; None gives no interval.
    """

    function: Callable[[ScoredRows], float]
    title: str
    heading: str = ""
    kind: str | None = None
    resampled: Literal["micro", "official"] | None = None


def _micro(name: str) -> Callable[[ScoredRows], float]:
    return lambda rows: micro_scores(rows.gold, rows.predicted, rows.negative)[name]


# Scores of a cell, in the order of their columns.
METRICS: Registry[Score] = Registry(
    "tkre.metrics",
    {
        "micro_precision": Score(_micro("micro_precision"), "precision", "P", "precision"),
        "micro_recall": Score(_micro("micro_recall"), "recall", "R", "recall"),
        "micro_f1": Score(_micro("micro_f1"), "micro-F1", kind="f1", resampled="micro"),
        "official_f1": Score(
            lambda rows: official_f1(rows.gold, rows.predicted, rows.negative, rows.official),
            "official F1",
            kind="f1",
            resampled="official",
        ),
    },
)


def f1_first() -> list[str]:
    """Names of all scores, F1 scores before the others: the order of presentation."""
    return sorted(METRICS, key=lambda name: not name.endswith("f1"))


def by_relation(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]
) -> pd.DataFrame:
    """Precision, recall and F1 of every label (the negative one too) in per cent, with counts."""
    import pandas as pd
    from sklearn.metrics import precision_recall_fscore_support

    if not len(gold):
        precision = recall = f1 = support = np.zeros(len(labels))
    else:
        precision, recall, f1, support = precision_recall_fscore_support(
            gold, predicted, labels=labels, zero_division=0
        )
    guesses = Counter(predicted)
    return pd.DataFrame(
        {
            "relation": labels,
            "precision": 100 * precision,
            "recall": 100 * recall,
            "f1": 100 * f1,
            "gold": support.astype(int),
            "guessed": [guesses[label] for label in labels],
        }
    )


def confusion(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> pd.DataFrame:
    """Rows by gold label (index) and predicted label (columns)."""
    import pandas as pd
    from sklearn.metrics import confusion_matrix

    counted = confusion_matrix(gold, predicted, labels=labels) if len(gold) else 0
    return pd.DataFrame(counted, index=labels, columns=labels)
