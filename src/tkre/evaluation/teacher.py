"""The language model as a classifier, and classifiers beside it on the rows that it labelled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tkre.core.instance import Instance
from tkre.core.params import NO_LLM
from tkre.core.schema import RelationSchema
from tkre.evaluation.bootstrap import paired_share
from tkre.evaluation.metrics import METRICS, ScoredRows, counts
from tkre.evaluation.params import ReportingParams
from tkre.evaluation.predictions import prediction_frame, sentences_of
from tkre.evaluation.results import GROUP_KEYS, IncompleteExperiment
from tkre.generation.annotation import Annotation, LabelKind

PER = 1000  # sentences that costs are given for
COSTS = ("prompt_tokens", "completion_tokens", "seconds", "dollars")
TEACHER_COLUMNS = [
    *GROUP_KEYS, "seed", "variant", "teacher", "needs", "asked", "rows", *METRICS,
    "share", "share_low", "share_high", "answers", *COSTS, "tokens", "parameters",
]  # fmt: skip


def answered_predictions(
    asked: Sequence[Instance],
    answers: Sequence[Annotation],
    schema: RelationSchema,
    kind: LabelKind,
) -> pd.DataFrame:
    """Predictions of the rows with a usable answer.

    The stated confidence is the probability of the answer; the other relations share the rest. The
    rows that were asked about have their gold labels.
    """
    found = {answer.instance.id: answer for answer in answers}
    pairs = [
        (row, found[key])
        for row in asked
        if (key := kind.request_id(schema.corpus, row.id)) in found
    ]
    names = schema.names
    confidence_N = np.array([answer.confidence for _, answer in pairs])
    predicted = [str(answer.instance.relation) for _, answer in pairs]
    columns_N = np.array([names.index(label) for label in predicted], dtype=int)
    probabilities_NR = np.repeat((1 - confidence_N)[:, None] / (len(names) - 1), len(names), axis=1)
    probabilities_NR[np.arange(len(pairs)), columns_N] = confidence_N
    gold = [row.relation for row, _ in pairs]
    ids, texts = [row.id for row, _ in pairs], [row.text for row, _ in pairs]
    return prediction_frame(ids, gold, predicted, names, probabilities_NR, texts)


@dataclass(frozen=True)
class ComparedCell:
    """A cell beside the teacher, or the teacher.

    Attributes:
        metrics: Scores of all its rows (``results.score_cell``) with the ``recipe``.
        predictions: Its predictions.
        needs: What it needs of a language model, in words.
        effort: Tokens, time and money of a teacher (``generation.classification.effort``).
        speed: Time and size of a classifier (``rows``, ``seconds``, ``parameters``).
        answers: Answers of a language model that were needed before the first row was labelled;
            None where they are not known.
    """

    metrics: Mapping[str, Any]
    predictions: pd.DataFrame
    needs: str
    effort: Mapping[str, Any] | None = None
    speed: Mapping[str, Any] | None = None
    answers: int | None = None


def teacher_table(cells: Sequence[ComparedCell], params: ReportingParams) -> pd.DataFrame:
    """One row for every cell of a sample with a teacher, scored on the teacher's rows alone.

    Returns:
        Coordinates; the ``teacher`` (its variant); rows that it was ``asked`` about and ``rows``
        that it answered; scores in per cent; ``share`` of the teacher's micro-F1 in per cent, with
        its paired bootstrap interval (missing for the teacher, and where it has no F1); ``answers``
        of a language model that were needed beforehand. For 1,000 sentences: tokens that a
        language model reads and writes (0 for classifiers), seconds, dollars; missing where they
        are not known. Source of the ``tokens``; ``parameters`` of a classifier.

    Raises:
        IncompleteExperiment: A cell has no prediction for a row of the teacher.
    """
    rows = [
        _row(cell, teacher, params)
        for teacher in cells
        if teacher.effort is not None
        for cell in cells
        if cell is teacher or _is_student(cell, teacher)
    ]
    return pd.DataFrame(rows, columns=TEACHER_COLUMNS)


def _is_student(cell: ComparedCell, teacher: ComparedCell) -> bool:
    same = all(cell.metrics[k] == teacher.metrics[k] for k in ("corpus", "shots", "seed"))
    knows = cell.metrics["llm"] in (teacher.metrics["llm"], NO_LLM)
    return cell.effort is None and same and knows


def _row(cell: ComparedCell, teacher: ComparedCell, params: ReportingParams) -> dict[str, Any]:
    metrics = cell.metrics
    assert teacher.effort is not None
    labelled = _on_rows_of(cell, teacher)
    gold, predicted = labelled["gold"].tolist(), labelled["predicted"].tolist()
    negative, official = metrics["negative"], metrics["official_metric"]
    scored = ScoredRows(gold, predicted, negative, official)
    row = {name: metrics[name] for name in (*GROUP_KEYS, "seed", "variant")} | {
        "teacher": teacher.metrics["variant"],
        "needs": cell.needs,
        "asked": teacher.effort["rows"],
        "rows": len(labelled),
        **{name: float(METRICS[name].function(scored)) if gold else None for name in METRICS},
        "answers": cell.answers,
        **_costs(cell),
    }
    best = counts(gold, teacher.predictions["predicted"].tolist(), negative, "micro")
    if cell is not teacher and gold and (whole := float(best.f1()[0])):
        row["share"] = 100 * row["micro_f1"] / whole
        row["share_low"], row["share_high"] = paired_share(
            counts(gold, predicted, negative, "micro"),
            best,
            sentences_of(teacher.predictions),
            params,
        )
    return row


def _on_rows_of(cell: ComparedCell, teacher: ComparedCell) -> pd.DataFrame:
    """Predictions of a cell for the rows of the teacher, in their order."""
    ids = teacher.predictions["id"]
    found = cell.predictions.set_index("id").reindex(ids)
    if lacking := ids[found["predicted"].isna().to_numpy()].tolist():
        raise IncompleteExperiment(
            f"{cell.metrics['variant']} of {cell.metrics['corpus']} has no prediction for "
            f"{lacking[0]} ({len(lacking)} in all), which {teacher.metrics['variant']} has "
            "labelled, so one of them is older than the corpus; run both again"
        )
    return found


def _costs(cell: ComparedCell) -> dict[str, Any]:
    """Costs of 1,000 sentences."""
    if cell.effort is not None:
        known = {name: cell.effort[name] for name in COSTS if cell.effort[name] is not None}
        asked = cell.effort["rows"]
        source = "recorded" if cell.effort["recorded"] else "estimated"
        return {name: PER * value / asked for name, value in known.items()} | {"tokens": source}
    row: dict[str, Any] = {"prompt_tokens": 0.0, "completion_tokens": 0.0}
    if cell.speed is not None and cell.speed["rows"]:
        row["seconds"] = PER * cell.speed["seconds"] / cell.speed["rows"]
        row["parameters"] = cell.speed["parameters"]
    return row
