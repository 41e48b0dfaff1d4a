from __future__ import annotations

from tkre.generation.rejections import Reject, Tally, rejects_frame, useless, yield_frame

REJECTS = [Reject("synthesis", "b", f"id{n}", r, "d", "t") for n, r in enumerate(["x", "y", "y"])]


def test_yield_frame_counts():
    tallies = {
        "b": Tally(wanted=4, requested=8, answered=7, kept=1, surplus=0, rejects=REJECTS),
        "a": Tally(wanted=1, requested=2, answered=2, kept=1, surplus=1),
    }
    a, b = yield_frame("synthesis", tallies).to_dict("records")
    assert (a["relation"], a["short"], a["surplus"], a["reasons"]) == ("a", 0, 1, "")
    assert (b["short"], b["rejected"], b["reasons"]) == (3, 3, "y 2, x 1")


def test_rejects_frame_columns_without_rows():
    assert list(rejects_frame([])) == list(rejects_frame(REJECTS))
    assert len(rejects_frame(REJECTS)) == 3


def test_answers_of_which_none_is_used_are_a_warning_with_the_reason():
    none = {"a": Tally(requested=2), "b": Tally(requested=8, rejects=REJECTS)}
    said = useless("synthesis", none)
    assert said.startswith("synthesis: 0 of 10 are used (y 2, x 1); the first: id0: d")
    assert useless("synthesis", none | {"c": Tally(requested=1, kept=1)}) is None
    assert useless("synthesis", {"a": Tally()}) is None
