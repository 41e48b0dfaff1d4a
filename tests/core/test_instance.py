from __future__ import annotations

import pandas as pd
import pytest

from tests.conftest import instance
from tkre.core.instance import (
    COLUMNS,
    Instance,
    Span,
    TagError,
    from_frame,
    parse_tagged,
    to_frame,
    to_tagged,
)


def test_span_is_half_open():
    assert Span(0, 3).of("abcdef") == "abc"
    assert not Span(0, 3).overlaps(Span(3, 5))
    assert Span(0, 4).overlaps(Span(3, 5))
    assert not Span(3, 5).overlaps(Span(0, 3))


@pytest.mark.parametrize("span", [Span(3, 3), Span(5, 4), Span(-1, 2), Span(0, 99)])
def test_instance_refuses_offsets_outside_its_text(span):
    with pytest.raises(ValueError, match=r"^x: head span"):
        Instance("x", "a short text", head=span, tail=Span(0, 1))
    with pytest.raises(ValueError, match=r"^x: tail span"):
        Instance("x", "a short text", head=Span(0, 1), tail=span)


def test_mentions_of_an_instance_and_of_its_inverse():
    row = instance("<head>Ada</head> in <tail>Rome</tail>", "lives_in", id="1",
                   head_type="person", tail_type="place", triggers=("in",))  # fmt: skip
    assert (row.head_text, row.tail_text) == ("Ada", "Rome")
    inverted = row.inverted()
    assert (inverted.head_text, inverted.tail_text) == ("Rome", "Ada")
    assert (inverted.head_type, inverted.tail_type) == ("place", "person")
    assert (inverted.relation, inverted.triggers) == ("lives_in", ("in",))
    assert inverted.inverted() == row


@pytest.mark.parametrize(
    ("beginning", "kinds"),
    [("", (False, False, False)), ("annotation/", (True, False, True)),
     ("reviewed/", (False, True, True)), ("distilled/", (False, False, True))],
)  # fmt: skip
def test_ids_say_where_a_label_comes_from(beginning, kinds):
    row = instance("<head>a</head> b <tail>c</tail>", id=f"{beginning}toy/1")
    assert (row.annotated, row.reviewed, row.natural) == kinds


@pytest.mark.parametrize(
    ("sentence", "between"),
    [
        ("<head>a</head> xy <tail>b</tail>", " xy "),
        ("<tail>a</tail> xy <head>b</head>", " xy "),
        ("<head>a</head><tail>b</tail>", None),
    ],
)
def test_between(sentence, between):
    row = instance(sentence)
    assert (row.between and row.between.of(row.text)) == between


def test_frame_round_trip(tmp_path):
    rows = [
        instance("<head>Ada</head> in <tail>Rome</tail>", "lives_in", id="1", head_type="person",
                 tail_type="place", triggers=("in",), explanation="why", implicit=True),
        instance("<tail>Ada</tail> in <head>Rome</head>", id="2"),
    ]  # fmt: skip
    frame = to_frame(rows)
    assert list(frame) == COLUMNS
    assert from_frame(frame) == rows
    frame.to_parquet(tmp_path / "rows.parquet")
    assert from_frame(pd.read_parquet(tmp_path / "rows.parquet")) == rows


def test_frame_of_nothing(tmp_path):
    to_frame([]).to_parquet(tmp_path / "rows.parquet")
    assert from_frame(pd.read_parquet(tmp_path / "rows.parquet")) == []


def test_frame_offsets_are_checked_again():
    frame = to_frame([instance("<head>a</head> b <tail>c</tail>")])
    frame.loc[0, "tail_end"] = 77
    with pytest.raises(ValueError, match="tail span 4-77"):
        from_frame(frame)


def test_parse_gives_plain_text_and_offsets():
    text, head, tail = parse_tagged("<tail>Oslo</tail>, said <head>Ada L.</head>, is cold.")
    assert text == "Oslo, said Ada L., is cold."
    assert (head.of(text), tail.of(text)) == ("Ada L.", "Oslo")


def test_white_space_inside_tags_is_not_part_of_the_mention():
    text, head, tail = parse_tagged("  So <head> Ada </head> in <tail>\tRome</tail>")
    assert (head.of(text), tail.of(text)) == ("Ada", "Rome")


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("<head>a</head> b", "<tail> is missing in '<head>a</head> b'$"),
        ("<head>a</head> <tail>b", "</tail> is missing"),
        ("<head>a <tail>b</tail>", "</head> is missing"),
        ("<head>a</head> <head>c</head> <tail>b</tail>", "<head> stands more than once"),
        ("</head>a<head> <tail>b</tail>", "</head> stands before <head>"),
        ("<head>a</tail> <tail>b</head>", "</tail> stands before <tail>"),
        ("<head>a</head> <TAIL>b</TAIL>", "<tail> is missing .* .there is '<TAIL>' instead"),
        ("<head>a</head> <tail>b</tial>", "</tail> is missing .* .there is '</tial>' instead"),
        ("<head>a</head> [tail]b[/tail]", r"there is '\[tail\]' instead"),
        ("<head></head> <tail>b</tail>", "nothing stands between"),
        ("<head>a <tail>b</head> c</tail>", "cross"),
        ("", "<head> is missing"),
    ],
)
def test_bad_tags_say_what_is_wrong(sentence, problem):
    with pytest.raises(TagError, match=problem):
        parse_tagged(sentence)


@pytest.mark.parametrize(
    ("head", "tail"),
    [(Span(0, 3), Span(4, 7)), (Span(4, 7), Span(0, 3)), (Span(0, 7), Span(4, 7)),
     (Span(4, 7), Span(0, 7)), (Span(0, 3), Span(3, 4)), (Span(0, 7), Span(0, 3))],
)  # fmt: skip
def test_tagging_and_parsing_undo_each_other(head, tail):
    row = Instance("x", "abc def", head, tail)
    sentence = to_tagged(row)
    # A blank is a mention here; parsing would trim it.
    if row.text[head.start : head.end].strip() and row.text[tail.start : tail.end].strip():
        assert parse_tagged(sentence) == (row.text, head, tail)


@pytest.mark.parametrize(
    "sentence",
    [
        "<head>ab</head><tail>c</tail>", "<tail>ab</tail><head>c</head>",
        "<head><tail>ab</tail> c</head>", "<tail><head>ab</head> c</tail>",
        "<head>ab <tail>c</tail></head>", "<tail>ab <head>c</head></tail>",
    ],
)  # fmt: skip
def test_tags_at_one_place_are_nested(sentence):
    assert to_tagged(instance(sentence)) == sentence


def test_what_is_unknown_is_none_in_a_frame():
    rows = [instance("<head>a</head> <tail>b</tail>", id="1", head_type="person"),
            instance("<head>a</head> <tail>b</tail>", id="2")]  # fmt: skip
    assert to_frame(rows)["head_type"].tolist() == ["person", None]


def test_other_tag_names():
    assert parse_tagged("<e1>a</e1> <e2>b</e2>", "e1", "e2") == ("a b", Span(0, 1), Span(2, 3))
