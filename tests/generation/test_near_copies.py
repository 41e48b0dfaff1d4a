from __future__ import annotations

from tkre.generation.near_copies import NearCopies

SENTENCE = "The old mayor of the town moved to a house near the river"


def copies(*texts: str) -> NearCopies:
    index = NearCopies(run=4, limit=0.5)
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
