"""Annotated rows with the labels of a person in place of the language model's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tkre.core.instance import Instance
from tkre.core.text import pair_key
from tkre.generation.annotation import Annotation


def with_reviews(
    annotated: Sequence[Annotation], reviewed: Sequence[Instance]
) -> tuple[list[Annotation], dict[str, int]]:
    """Put reviewed rows into the places of the annotated ones of their pairs; the others follow.

    An id tells no pair: that of a candidate changes with the text or the names before it.

    Args:
        annotated: Rows as a language model has labelled them.
        reviewed: Rows with the label of a person (``corpora.reviewed``).

    Returns:
        The rows: reviewed ones have a confidence of 1, and the triggers of the language model if
        its label was accepted. Counts: ``accepted``, ``corrected``, and ``added``, which are not
        among the annotated ones.
    """
    waiting = {pair_key(row): row for row in reviewed}
    counts = {"accepted": 0, "corrected": 0, "added": 0}
    rows = []
    for annotation in annotated:
        row = waiting.pop(pair_key(annotation.instance), None)
        if row is None:
            rows.append(annotation)
            continue
        same = row.relation == annotation.instance.relation
        counts["accepted" if same else "corrected"] += 1
        triggers = annotation.instance.triggers if same else ()
        rows.append(Annotation(replace(row, triggers=triggers), 1.0))
    counts["added"] = len(waiting)
    return [*rows, *(Annotation(row, 1.0) for row in waiting.values())], counts
