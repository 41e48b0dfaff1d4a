"""Predictions frames and their arrays.

Columns: ``gold`` (label of the row), ``predicted`` (most probable relation), ``answer`` (the
prediction, or None where it is withheld), ``p.<relation>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tkre.core.provenance import digest_of
from tkre.evaluation.calibration import Numbers, Truths
from tkre.evaluation.metrics import Floats

if TYPE_CHECKING:
    import pandas as pd


_PROBABILITY = "p."
SENTENCE = "sentence"
_DIGITS = 16  # of the digest of a sentence


def prediction_frame(
    ids: Sequence[str],
    gold: Sequence[str | None],
    predicted: Sequence[str],
    labels: Sequence[str],
    probabilities_NR: Floats,
    texts: Sequence[str] = (),
) -> pd.DataFrame:
    """Predictions as a frame.

    Args:
        ids: Ids of the N rows.
        gold: Their relations, None where unknown.
        predicted: Predicted relation of each row.
        labels: The R relations, in the order of the probabilities.
        probabilities_NR: Probability of every relation, N x R.
        texts: Their sentences; without any, each row is one of its own.

    Returns:
        ``id``, ``sentence`` (a digest of it, or the id without texts), ``gold``, ``predicted``,
        ``probability`` (of the predicted relation), and a column ``p.<relation>`` for every
        relation.
    """
    import pandas as pd

    columns_N = np.array([labels.index(label) for label in predicted], dtype=int)
    frame = pd.DataFrame(probabilities_NR, columns=[f"{_PROBABILITY}{name}" for name in labels])
    frame.insert(0, "id", list(ids))
    # Of the text alone: seeds with other rows of a sentence name it alike.
    sentences = [digest_of(text)[:_DIGITS] for text in texts] or list(ids)
    frame.insert(1, SENTENCE, pd.Series(sentences, dtype=object))
    frame.insert(2, "gold", pd.Series(list(gold), dtype=object))
    frame.insert(3, "predicted", pd.Series(list(predicted), dtype=object))
    frame.insert(4, "probability", probabilities_NR[np.arange(len(columns_N)), columns_N])
    return frame


def sentences_of(predictions: pd.DataFrame) -> list[str]:
    """The sentence of each row, for resampling: pairs of one are not independent."""
    return list(predictions[SENTENCE if SENTENCE in predictions else "id"])


def labels_of(predictions: pd.DataFrame) -> list[str]:
    """Relations in the order of their probability columns."""
    return [c.removeprefix(_PROBABILITY) for c in predictions if c.startswith(_PROBABILITY)]


def probabilities_of(predictions: pd.DataFrame) -> Floats:
    """N x R probabilities."""
    columns = [f"{_PROBABILITY}{label}" for label in labels_of(predictions)]
    probabilities_NR: Floats = predictions[columns].to_numpy(dtype=float)
    return probabilities_NR


def gold_of(predictions: pd.DataFrame) -> Numbers:
    """The column of each row's gold label.

    Raises:
        ValueError: A row has none, or one that the classifier does not know.
    """
    if unknown := sorted({str(r) for r in predictions["gold"]} - set(labels_of(predictions))):
        raise ValueError(
            f"gold labels that the classifier has no probability of: {', '.join(unknown)}; "
            "calibration needs rows that are labelled with its relations"
        )
    return _columns(predictions, "gold")


def guesses_of(predictions: pd.DataFrame) -> Numbers:
    """The column of each row's predicted label."""
    return _columns(predictions, "predicted")


def _columns(predictions: pd.DataFrame, name: str) -> Numbers:
    numbers = {label: n for n, label in enumerate(labels_of(predictions))}
    return np.array([numbers[label] for label in predictions[name]], dtype=np.int64)


def with_probabilities(
    predictions: pd.DataFrame, probabilities_NR: Floats, guesses_N: Numbers
) -> pd.DataFrame:
    """The same rows and columns with other probabilities and labels."""
    labels = labels_of(predictions)
    changed = predictions.assign(
        predicted=np.array(labels, dtype=object)[guesses_N],
        probability=probabilities_NR[np.arange(len(guesses_N)), guesses_N],
    )
    changed[[f"{_PROBABILITY}{label}" for label in labels]] = probabilities_NR
    return changed


def answers(predictions: pd.DataFrame, negative: str | None) -> tuple[Floats, Truths]:
    """Confidence of the rows that assert a relation, and whether it is the gold one."""
    given = predictions[(predictions["predicted"] != negative).to_numpy(dtype=bool)]
    correct_N = (given["predicted"] == given["gold"]).to_numpy(dtype=bool)
    return given["probability"].to_numpy(dtype=float), correct_N


def withheld(probability: Any, asserts: Any, confidence: float) -> Any:
    """Whether predictions are not given as answers: numbers, arrays or columns.

    Args:
        probability: Calibrated probabilities of the predicted labels.
        asserts: Whether they assert a relation: the negative one asserts nothing.
        confidence: Lowest confidence of an answer.
    """
    return (probability < confidence) & asserts
