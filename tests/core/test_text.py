from __future__ import annotations

import pytest

from tkre.core.text import (
    NearDuplicateIndex,
    NearDuplicateParams,
    find_phrase,
    near_duplicate_groups,
    same_stem,
    shared_sentences,
)

SENTENCE = "The old mayor of the town moved to a house near the river"


def copies(*texts: str) -> NearDuplicateIndex:
    index = NearDuplicateIndex(NearDuplicateParams())
    index.add("the test set", texts)
    return index


def test_copies_in_any_case_and_punctuation():
    assert copies(SENTENCE).find(SENTENCE.upper() + "!!") == ("the test set", 1.0)


def test_a_light_edit_is_a_copy_and_a_shared_phrase_is_not():
    index = copies(SENTENCE)
    assert index.find(SENTENCE.replace("river", "lake")) is not None
    assert (
        index.find("Last year the old mayor of the town died in Rome, aged ninety, alone") is None
    )


def test_shares_in_two_sentences_do_not_add_up():
    index = copies("one two three four five six", "six seven eight nine ten eleven")
    text = "one two three four five six seven eight nine ten eleven"
    assert index.find(text) is None


def test_short_sentences_are_one_run():
    assert copies("Hello there").find("hello there") == ("the test set", 1.0)
    assert copies("Hello there").find("hello") is None
    assert copies().find("anything at all") is None


def test_groups_are_chains_of_near_duplicates():
    a = "one two three four five six seven eight"
    b = a.replace("one two", "nine ten")  # shares the end with a
    c = "nine ten three four five six eleven twelve"  # shares the beginning with b
    texts = [a, "something else that nobody shares", c, b, SENTENCE, SENTENCE.upper()]
    assert near_duplicate_groups(texts, NearDuplicateParams(max_overlap=0.3)) == [0, 1, 0, 0, 4, 4]
    assert near_duplicate_groups(texts, NearDuplicateParams(max_overlap=0.9)) == [0, 1, 2, 3, 4, 4]
    assert near_duplicate_groups([], NearDuplicateParams(max_overlap=0.3)) == []


def test_a_short_text_within_a_long_one_is_of_its_group():
    assert near_duplicate_groups(
        [SENTENCE, "moved to a house"], NearDuplicateParams(max_overlap=0.5)
    ) == [0, 0]


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [("cause", "causes", True), ("lives", "lived", True), ("founded", "founder", True),
     ("producer", "product", True), ("member", "remember", False), ("born", "corn", False),
     ("works", "words", False)],
)  # fmt: skip
def test_forms_of_a_word(a, b, same):
    assert same_stem(a, b) is same


@pytest.mark.parametrize(
    ("phrase", "found"),
    [("on", ["On"]), ("inspections  ON", ["inspections On"]), ("spect", []), ("", []),
     ("'s", ["'s"]), ("bridge", ["bridge", "bridge"])],
)  # fmt: skip
def test_a_phrase_is_found_as_whole_words_in_any_case(phrase, found):
    text = "The inspections On Ada's bridge, a bridge."
    assert [span.of(text) for span in find_phrase(text, phrase)] == found


def test_shared_sentences_of_nothing():
    assert shared_sentences([], []) == ([], [])
