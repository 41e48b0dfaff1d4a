from __future__ import annotations

import pandas as pd

from tests.conftest import instance
from tkre.report.notebooks import nearest_copies


def row(sentence: str, name: str):
    first, rest = sentence.split(maxsplit=1)
    return instance(f"<head>{first}</head> {rest} <tail>end</tail>", "r", id=name)


SYNTHETIC = [
    row("nothing here is shared with anybody", "own"),
    row("one two three four five", "copy"),
    row("red green blue black white", "twin"),
    row("red green blue black grey", "sister"),
]


def test_the_nearest_sentence_is_found_with_the_share_of_its_runs():
    table = nearest_copies(SYNTHETIC, {"test": ["zero one two three four five six"]}, run=2)
    found = table.set_index("id")
    # "one two three four five end": four of its five pairs of words.
    assert found.loc["copy", "shared"] == 4 / 5 and found.loc["copy", "source"] == "test"
    assert found.loc["copy", "nearest"].startswith("zero one")
    assert found.loc["twin", "source"] == "synthetic" and found.loc["twin", "shared"] == 3 / 5
    assert found.loc["own", "shared"] == 0 and pd.isna(found.loc["own", "source"])
    assert table["shared"].is_monotonic_decreasing


def test_a_sentence_is_not_its_own_copy_but_its_double_is():
    twice = nearest_copies([SYNTHETIC[1], row("one two three four five", "again")], {}, run=2)
    assert twice["shared"].tolist() == [1, 1]
    assert nearest_copies(SYNTHETIC[:1], {}, run=2)["shared"].tolist() == [0]


def test_no_sentences_give_an_empty_table():
    table = nearest_copies([], {"test": ["a b"]}, run=2)
    assert list(table) == ["id", "relation", "shared", "source", "sentence", "nearest"]
    assert table.empty
