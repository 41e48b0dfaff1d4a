"""Predictions frames and their arrays.

Columns: ``gold`` (label of the row), ``predicted`` (most probable relation), ``answer`` (the
prediction, or None where it is withheld), ``p.<relation>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tkre.evaluation.calibration import Numbers, Truths
from tkre.evaluation.metrics import Floats

if TYPE_CHECKING:
    import pandas as pd


_PROBABILITY = "p."


def prediction_frame(
    ids: Sequence[str],
    gold: Sequence[str | None],
    predicted: Sequence[str],
    labels: Sequence[str],
    probabilities_NR: Floats,
) -> pd.DataFrame:
    """Predictions as a frame.

    Args:
        ids: Ids of the N rows.
        gold: Their relations, None where it is not known.
        predicted: Predicted relation of each row.
        labels: The R relations, in the order of the probabilities.
        probabilities_NR: Probability of every relation, N x R.

    Returns:
        ``id``, ``gold``, ``predicted``, ``probability`` (of what is predicted), and a
        column ``p.<relation>`` for the probability of every relation.
    """
    import pandas as pd

    own = [labels.index(label) for label in predicted]
    frame = pd.DataFrame(probabilities_NR, columns=[f"{_PROBABILITY}{name}" for name in labels])
    frame.insert(0, "id", list(ids))
    frame.insert(1, "gold", pd.Series(list(gold), dtype=object))
    frame.insert(2, "predicted", pd.Series(list(predicted), dtype=object))
    frame.insert(3, "probability", probabilities_NR[np.arange(len(own)), np.array(own, dtype=int)])
    return frame


def labels_of(predictions: pd.DataFrame) -> list[str]:
    """The relations that there are probabilities of, in the order of their columns."""
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
    numbers = {label: n for n, label in enumerate(labels_of(predictions))}
    if unknown := sorted({str(r) for r in predictions["gold"]} - set(numbers)):
        raise ValueError(
            f"gold labels that the classifier has no probability of: {', '.join(unknown)}; "
            "calibration needs rows that are labelled with its relations"
        )
    return np.array([numbers[label] for label in predictions["gold"]], dtype=np.int64)


def guesses_of(predictions: pd.DataFrame) -> Numbers:
    """The column of each row's predicted label."""
    numbers = {label: n for n, label in enumerate(labels_of(predictions))}
    return np.array([numbers[label] for label in predictions["predicted"]], dtype=np.int64)


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


def answered(calibrated: pd.DataFrame, negative: str | None, confidence: float) -> pd.DataFrame:
    """Calibrated predictions with the answers that are given.

    Args:
        calibrated: With ``id``, ``predicted`` and ``probability``.
        negative: The label that asserts nothing and is never withheld.
        confidence: From which on an answer is given.

    Returns:
        The rows with ``answer``, None where the guess is not sure enough (``abstained``), in
        front of the guess.
    """
    import pandas as pd

    unsure = withheld(calibrated["probability"], calibrated["predicted"] != negative, confidence)
    answer = calibrated["predicted"].astype(object).where(~unsure, None)
    rest = calibrated.drop(columns=["id", "gold"], errors="ignore")
    return pd.concat(
        [calibrated["id"], answer.rename("answer"), unsure.rename("abstained"), rest], axis=1
    )


def withheld(probability: Any, asserts: Any, confidence: float) -> Any:
    """Whether guesses are not given as answers, of numbers, arrays or columns.

    Args:
        probability: Of the guesses, calibrated.
        asserts: Whether they assert a relation: the negative one asserts nothing.
        confidence: From which on an answer is given.
    """
    return (probability < confidence) & asserts
