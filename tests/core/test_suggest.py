from __future__ import annotations

from tkre.core.params import did_you_mean


def test_the_nearest_name():
    assert did_you_mean("borm_in", ["born_in", "died_in"]) == " (did you mean 'born_in'?)"


def test_all_names_where_none_is_near():
    assert did_you_mean("zzz", ["b", "a"]) == " (known: a, b)"
    assert did_you_mean("zzz", [str(n) for n in range(30)]).endswith(", ...)")
    assert did_you_mean("zzz", []) == ""
