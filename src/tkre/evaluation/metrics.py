"""F1 as the field reports it, on label names, never on label numbers. All scores are per cent.

Two definitions of the score of a corpus:

* *micro*, as TACRED's scorer: over all rows, the negative relation left out. Without a single
  guess precision is 1; without a single positive gold row recall is 0; F1 is 0 either way.
* *semeval*, the official score of SemEval-2010 Task 8: macro-F1 over the relations with their two
  directions joined. A right relation in the wrong direction is wrong, and counts both as a guess
  of that relation and as one that was missed. ``Other`` has no F1, but confusions with it count.

Both are F1 scores from three counts for each *group* of labels, so one class holds them, row by
row, and a bootstrap only has to weigh the rows.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd


Metric = Literal["micro", "semeval"]
_DIRECTION = re.compile(r"\(e[12],e[12]\)$")
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """What every row adds to the counts of every group of labels, as N x G arrays of 0 and 1.

    Attributes:
        correct: The label was guessed and is right.
        guessed: A label of the group was guessed.
        gold: A label of the group is the right one.
    """

    correct: Floats
    guessed: Floats
    gold: Floats

    def f1(self, weights: Floats | None = None) -> Floats:
        """Mean F1 over the groups that occur in the gold labels, per cent.

        Args:
            weights: How often each row counts, as a B x N array; None is once each.

        Returns:
            B scores.
        """
        if weights is None:
            weights = np.ones((1, len(self.gold)))
        correct, guessed, gold = (weights @ c for c in (self.correct, self.guessed, self.gold))
        total = guessed + gold
        f1 = np.divide(2 * correct, total, out=np.zeros_like(total), where=total > 0)
        present = self.gold.any(axis=0)
        if not present.any():
            return np.zeros(len(weights))
        return 100 * f1[:, present].mean(axis=1)


def counts(
    gold: Sequence[str], predicted: Sequence[str], negative: str | None, metric: Metric
) -> Counts:
    """The counts that a metric is made from.

    Args:
        gold: The right label of every row.
        predicted: The guessed ones, in the same order.
        negative: The label that belongs to no group.
        metric: Which groups there are: one of all positive labels, or one per relation with its
            directions joined.
    """
    if len(gold) != len(predicted):
        raise ValueError(f"{len(gold)} gold labels, but {len(predicted)} predictions")
    golds, guesses = np.asarray(gold, dtype=object), np.asarray(predicted, dtype=object)
    join = (lambda label: "") if metric == "micro" else undirected
    groups = sorted({join(label) for label in {*gold, *predicted} if label != negative})

    def member(labels: npt.NDArray[np.object_]) -> Floats:
        of = np.array([None if label == negative else join(label) for label in labels])
        return np.stack([of == group for group in groups], axis=1).astype(float)

    if not groups:
        nothing = np.zeros((len(gold), 1))
        return Counts(nothing, nothing, nothing)
    in_gold = member(golds)
    return Counts(in_gold * (golds == guesses)[:, None], member(guesses), in_gold)


def undirected(label: str) -> str:
    """A SemEval label without its direction: ``Cause-Effect(e2,e1)`` is ``Cause-Effect``."""
    return _DIRECTION.sub("", label)


def align(gold: pd.Series, predicted: pd.Series, missing: str) -> list[str]:
    """Predictions in the order of the gold labels.

    Args:
        gold: Labels, indexed by row id.
        predicted: Labels, indexed by row id, in any order.
        missing: What a row without a prediction counts as (SemEval's scorer: ``Other``).

    Raises:
        ValueError: There are two predictions for a row, or one for a row that does not exist.
    """
    if doubled := predicted.index[predicted.index.duplicated()].tolist():
        raise ValueError(f"more than one prediction for {', '.join(map(str, doubled[:5]))}")
    if unknown := [i for i in predicted.index if i not in gold.index]:
        raise ValueError(f"predictions for rows that do not exist: {', '.join(unknown[:5])}")
    return predicted.reindex(gold.index, fill_value=missing).tolist()


def micro_scores(
    gold: Sequence[str], predicted: Sequence[str], negative: str | None
) -> dict[str, float]:
    """Precision, recall and F1 over all positive labels (TACRED's scorer), per cent."""
    c = counts(gold, predicted, negative, "micro")
    correct, guessed, actual = c.correct.sum(), c.guessed.sum(), c.gold.sum()
    return {
        "micro_precision": float(100 * correct / guessed) if guessed else 100.0,
        "micro_recall": float(100 * correct / actual) if actual else 0.0,
        "micro_f1": float(c.f1()[0]),
    }


def official_f1(
    gold: Sequence[str], predicted: Sequence[str], negative: str | None, metric: Metric
) -> float:
    """The score that the corpus's own scorer prints, per cent."""
    return float(counts(gold, predicted, negative, metric).f1()[0])


def by_relation(
    gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]
) -> pd.DataFrame:
    """Precision, recall and F1 of every label (the negative one too), with its counts."""
    import pandas as pd

    golds, guesses = np.asarray(gold, dtype=object), np.asarray(predicted, dtype=object)
    rows = []
    for label in labels:
        correct = int(((golds == label) & (guesses == label)).sum())
        actual, guessed = int((golds == label).sum()), int((guesses == label).sum())
        rows.append(
            {
                "relation": label,
                "precision": 100 * correct / guessed if guessed else 0.0,
                "recall": 100 * correct / actual if actual else 0.0,
                "f1": 200 * correct / (guessed + actual) if guessed + actual else 0.0,
                "gold": actual,
                "guessed": guessed,
            }
        )
    return pd.DataFrame(rows)


def confusion(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> pd.DataFrame:
    """Rows by gold label (index) and predicted label (columns)."""
    import pandas as pd

    table = pd.crosstab(pd.Series(gold, dtype=object), pd.Series(predicted, dtype=object))
    return table.reindex(index=labels, columns=labels, fill_value=0)
