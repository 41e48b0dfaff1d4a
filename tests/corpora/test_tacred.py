from __future__ import annotations

import json

import pytest

from tkre.corpora.formats import RowError, tacred_rows

# Written for this test: no sentence of TACRED is in the repository.
ROW = {
    "id": "r1", "relation": "per:title",
    "token": ["Ada", "Moen", "-LRB-", "born", "1970", "-RRB-", ",", "the", "mayor", ",", "spoke"],
    "subj_start": 0, "subj_end": 1, "subj_type": "PERSON",
    "obj_start": 8, "obj_end": 8, "obj_type": "TITLE",
}  # fmt: skip


def test_inclusive_token_indices_and_brackets():
    [(place, row)] = tacred_rows(json.dumps([ROW]), "train")
    instance = row()
    assert place == "row 1"
    assert instance.text == "Ada Moen ( born 1970 ) , the mayor , spoke"
    assert (instance.head_text, instance.tail_text) == ("Ada Moen", "mayor")
    assert (instance.head_type, instance.tail_type) == ("PERSON", "TITLE")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"obj_end": 11}, "obj tokens 8-11 are not within the 11 tokens"),
        ({"subj_end": -1}, "subj tokens 0--1"),
        ({"subj_start": "0"}, "must be whole numbers"),
        ({"subj_start": False}, "must be whole numbers"),
        ({"token": "Ada"}, "token must be a list"),
        ({"subj_type": None}, "subj_type must be a text"),
        ({"relation": None}, "relation must be a text"),
    ],
)
def test_bad_rows(change, problem):
    [(_, row)] = tacred_rows(json.dumps([ROW | change]), "train")
    with pytest.raises(RowError, match=problem):
        row()


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [("[\n{,", "line 2", "not JSON"), ("{}", "line 1", "list was expected, not dict"),
     ("[3]", "row 1", "object was expected, not int")],
)  # fmt: skip
def test_files_that_are_no_list_of_rows(text, place, problem):
    [(found, row)] = tacred_rows(text, "train")
    assert found == place
    with pytest.raises(RowError, match=problem):
        row()
