from __future__ import annotations

import pandas as pd
import pytest

from tests.conftest import instance
from tkre.core.instance import COLUMNS, Instance, Span, from_frame, to_frame


def test_span_is_half_open():
    assert Span(0, 3).of("abcdef") == "abc"
    assert not Span(0, 3).overlaps(Span(3, 5))
    assert Span(0, 4).overlaps(Span(3, 5))


@pytest.mark.parametrize("span", [Span(3, 3), Span(5, 4), Span(-1, 2), Span(0, 99)])
def test_instance_refuses_offsets_outside_its_text(span):
    with pytest.raises(ValueError, match="head span"):
        Instance("x", "a short text", head=span, tail=Span(0, 1))


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
