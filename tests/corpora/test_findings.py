from __future__ import annotations

from tkre.corpora.schema_validation import Finding, Level, counted, names, told


def test_the_worst_is_told_first_and_of_much_only_some():
    bad = [Finding(Level.ERROR, f"f, line {n}", "bad", "bad rows") for n in range(25)]
    lines = list(told([Finding(Level.NOTE, "", "a note"), *bad]))
    assert lines[0] == "error    f, line 0: bad"
    assert lines[20] == "error    ... and 5 more: bad rows"
    assert lines[21:] == ["note     a note"]


def test_what_has_no_kind_is_always_told():
    findings = [Finding(Level.WARNING, "", str(n)) for n in range(30)]
    assert len(list(told(findings))) == 30


def test_counts_and_names():
    findings = [Finding(Level.ERROR, "", "x"), Finding(Level.NOTE, "", "y")]
    assert counted(findings) == {Level.ERROR: 1, Level.WARNING: 0, Level.NOTE: 1}
    assert names(["a", "b", "c"], shown=2) == "a, b and 1 more"
    assert names(["a"]) == "a"
