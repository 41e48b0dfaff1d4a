from __future__ import annotations

import pytest

from tkre.core.instance import Instance, Span, TagError, parse_tagged, to_tagged


def test_parse_gives_plain_text_and_offsets():
    text, head, tail = parse_tagged("<tail>Oslo</tail>, said <head>Ada L.</head>, is cold.")
    assert text == "Oslo, said Ada L., is cold."
    assert (head.of(text), tail.of(text)) == ("Ada L.", "Oslo")


def test_white_space_inside_tags_is_not_part_of_the_mention():
    text, head, tail = parse_tagged("<head> Ada </head> in <tail>\tRome</tail>")
    assert (head.of(text), tail.of(text)) == ("Ada", "Rome")


@pytest.mark.parametrize(
    ("sentence", "problem"),
    [
        ("<head>a</head> b", "<tail> is missing"),
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


def test_other_tag_names():
    assert parse_tagged("<e1>a</e1> <e2>b</e2>", "e1", "e2") == ("a b", Span(0, 1), Span(2, 3))
