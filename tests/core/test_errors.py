"""Refusals of the project: one base, and lists in their messages."""

from __future__ import annotations

from tkre.core.errors import enumerated, listed


def test_lists_are_cut_and_what_is_left_out_is_counted():
    assert enumerated(["a", "b", "c"], limit=2) == "a, b and 1 more"
    assert enumerated(["a", "b"], 1, "; ") == "a and 1 more"
    assert enumerated(["a", "b"], limit=2) == "a, b" and enumerated([]) == ""
    assert listed(["a", "b", "c"], 1) == ["a", "  ... and 2 more"]
    assert listed(["a", "b"], 2) == ["a", "b"] and listed([]) == []
    assert listed([str(n) for n in range(1021)])[-1] == "  ... and 1,001 more"


def test_a_list_may_hold_the_first_items_alone():
    assert listed(["a"], number=3) == ["a", "  ... and 2 more"]
    assert listed(["a", "b"], 1, number=3) == ["a", "  ... and 2 more"]
    assert listed(["a"], number=1) == ["a"]
