from __future__ import annotations

import pytest

from tests.conftest import instance
from tkre.modeling.entity_markers import mask_entities


@pytest.mark.parametrize(
    ("sentence", "told", "places"),
    [
        ("so <head>anna</head> met <tail>bert</tail> .",
         "so the head (a person) met the tail .", ["the head (a person)", "the tail"]),
        ("<tail>a</tail><head>b</head>", "the tailthe head (a person)",
         ["the tail", "the head (a person)"]),
        ("<head>a <tail>b</tail></head> c", "a the tail c", ["the tail"]),
        ("<tail><head>a</head> b</tail>", "the head (a person) b", ["the head (a person)"]),
    ],
)  # fmt: skip
def test_sentences_speak_of_the_head_and_the_tail(sentence, told, places):
    text, spans = mask_entities(instance(sentence, head_type="PERSON"), typed=True)
    assert text == told
    assert [span.of(text) for span in spans] == places


def test_types_can_be_left_out():
    row = instance("<head>anna</head> met <tail>bert</tail>", head_type="person")
    assert mask_entities(row, typed=False)[0] == "the head met the tail"
