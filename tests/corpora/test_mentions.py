from __future__ import annotations

import unicodedata

import pytest

from tkre.corpora.candidates import MentionList, read_mentions
from tkre.corpora.reading import CorpusError


def found(names, text, *, ignore_case=False):
    mentions = MentionList(names, ignore_case=ignore_case).find(text)
    return [(m.span.of(text), m.kind) for m in mentions]


NAMES = [("New York", "place"), ("New York Times", "paper"), ("Ada", "person"), ("O'Neil", None)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada reads the New York Times in New York.",
         [("Ada", "person"), ("New York Times", "paper"), ("New York", "place")]),
        ("Adam and Canada are no mentions; Ada's book is one.", [("Ada", "person")]),
        ("NEW YORK, ada", []),
        ("O'Neil met Ada,Ada.", [("O'Neil", None), ("Ada", "person"), ("Ada", "person")]),
        ("New\u00a0York or New  York", [("New\u00a0York", "place"), ("New  York", "place")]),
        ("", []),
    ],
)  # fmt: skip
def test_whole_words_and_the_longest_match(text, expected):
    assert found(NAMES, text) == expected


def test_case_is_no_difference_if_it_is_not_to_be():
    text = "NEW YORK, ada, Stra\u00dfe and STRASSE"
    names = [*NAMES, ("Stra\u00dfe", "place")]
    assert [m for m, _ in found(names, text, ignore_case=True)] == [
        "NEW YORK", "ada", "Stra\u00dfe", "STRASSE",
    ]  # fmt: skip


def test_accents_are_one_character_or_two():
    name = unicodedata.normalize("NFD", "\u00c5lesund")
    assert found([(name, "place")], "in \u00c5lesund") == [("\u00c5lesund", "place")]


def test_a_list_without_names_finds_nothing():
    assert found([], "Ada") == []


def test_files_of_names_have_tabs_or_are_json_lines():
    text = 'Ada\tperson\n\nOslo\r\n{"mention": "New York", "type": "place"}\nAda\tperson\n'
    read = read_mentions(text, "names.tsv", ignore_case=False)
    assert len(read) == 3 and read.types == {"person", "place"}
    assert [m.kind for m in read.find("Ada, Oslo, New York")] == ["person", None, "place"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Ada\tperson\nAda\tplace\n", "names.tsv, line 2: 'Ada' is a place here and a person on "
                                      "line 1"),
        ("Ada\tperson\tx\n", "line 1: 2 tabs"),
        ("\tperson\n", "line 1: no name before the type"),
        ("...\tperson\n", "line 1: no name"),
        ('{"mentoin": "Ada"}\n', "unknown key 'mentoin' .did you mean 'mention'"),
        ('{"mention": 3}\n', "mention must be a text"),
        ("", "no name in it"),
    ],
)  # fmt: skip
def test_bad_lines_are_named(text, problem):
    with pytest.raises(CorpusError, match=problem):
        read_mentions(text, "names.tsv", ignore_case=False)


def test_names_that_differ_by_case_alone_have_one_type_if_case_is_ignored():
    with pytest.raises(CorpusError, match="'ADA' is a place here"):
        read_mentions("Ada\tperson\nADA\tplace\n", "names", ignore_case=True)


@pytest.mark.parametrize("line", ["Ada Byron,person", "Ada; person", "Ada, Countess,person "])
def test_a_comma_where_a_tab_should_be_is_no_part_of_a_name(line):
    with pytest.raises(CorpusError, match=r"m\.tsv, line 1: a tab stands between a name and its"):
        read_mentions(line, "m.tsv", ignore_case=False, types=("person", "place"))
    # As JSON it is what it says.
    whole = '{"mention": "Ada, person"}'
    assert read_mentions(whole, "m.tsv", ignore_case=False, types=("person",))
    assert read_mentions("Baker, Sons, Ltd", "m.tsv", ignore_case=False, types=("person",))
