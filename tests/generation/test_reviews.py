"""Annotated rows whose labels a person has checked."""

from __future__ import annotations

from dataclasses import replace

from tests.conftest import instance
from tkre.generation.annotation import Annotation
from tkre.generation.reviews import with_reviews

ROWS = [
    instance(f"<head>Ada {n}</head> lives in <tail>Oslo</tail>.", "lives_in",
             id=f"annotation/toy/line-{n}", triggers=("lives in",))
    for n in range(3)
]  # fmt: skip


def test_reviewed_rows_take_the_places_of_annotated_ones():
    reviewed = [replace(ROWS[n], id=f"reviewed/line-{n}", relation=relation, triggers=())
                for n, relation in ((1, "none"), (0, "lives_in"))]  # fmt: skip
    other = replace(reviewed[0], id="reviewed/line-9", text="Bea 1 lives in Oslo.")
    annotated = [Annotation(row, 0.7) for row in ROWS]
    rows, counts = with_reviews(annotated, [*reviewed, other])
    assert [row.instance.id for row in rows] == [
        "reviewed/line-0", "reviewed/line-1", "annotation/toy/line-2", "reviewed/line-9",
    ]  # fmt: skip
    assert [row.confidence for row in rows] == [1, 1, 0.7, 1]
    assert [row.instance.relation for row in rows] == ["lives_in", "none", "lives_in", "none"]
    # Words that signal a relation signal no other one.
    assert [row.instance.triggers for row in rows[:2]] == [("lives in",), ()]
    assert counts == {"accepted": 1, "corrected": 1, "added": 1}


def test_the_pair_of_a_review_counts_and_not_its_id():
    """Candidates that are marked anew, with more text or names, have other ids."""
    reviewed = replace(ROWS[0], id="reviewed/line-2", relation="none", triggers=())
    rows, counts = with_reviews([Annotation(row, 0.7) for row in ROWS], [reviewed])
    assert [row.instance.id for row in rows] == [
        "reviewed/line-2", "annotation/toy/line-1", "annotation/toy/line-2",
    ]  # fmt: skip
    assert counts == {"accepted": 0, "corrected": 1, "added": 0}


def test_without_reviews_nothing_changes():
    annotated = [Annotation(row, 0.7) for row in ROWS]
    assert with_reviews(annotated, [])[0] == annotated
