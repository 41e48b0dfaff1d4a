from __future__ import annotations

import json

import pytest

from tkre.corpora import params
from tkre.corpora.formats import RowError, native_rows

GOOD = {
    "id": "a", "sentence": "<head>Ada</head> in <tail>Rome</tail>", "relation": "lives_in",
    "head_type": "person", "tail_type": "place",
}  # fmt: skip


def parse(text: str):
    return [(place, row()) for place, row in native_rows(text, "train")]


def test_rows_keep_their_ids_types_and_lines():
    [(first, a), (second, b)] = parse(
        json.dumps(GOOD)
        + "\n\n"
        + json.dumps({"id": "b", "sentence": GOOD["sentence"], "relation": "x", "implicit": True})
    )
    assert (first, second) == ("line 1", "line 3")
    assert (a.id, a.head_text, a.tail_text, a.relation) == ("a", "Ada", "Rome", "lives_in")
    assert (a.head_type, a.tail_type, a.implicit) == ("person", "place", None)
    assert (b.head_type, b.implicit) == (None, True)


def test_a_line_separator_inside_a_sentence_does_not_end_the_line():
    sentence = "<head>a</head>\u2028b <tail>c</tail>"
    [(place, row)] = parse(json.dumps(GOOD | {"sentence": sentence}, ensure_ascii=False))
    assert place == "line 1" and row.text == "a\u2028b c"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{not json", "not JSON"),
        ("[1]", "object was expected, not list"),
        (json.dumps({**GOOD, "sentence": "<head>Ada</head> in Rome"}), "<tail> is missing"),
        (json.dumps({**GOOD, "head_typ": "x"}), "unknown key 'head_typ' .did you mean 'head_type'"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "relation"}), "'relation' is missing"),
        (json.dumps({**GOOD, "id": ""}), "id must be a text"),
        (json.dumps({**GOOD, "id": 7}), "id must be a text, not 7"),
        (json.dumps({**GOOD, "head_type": 3}), "head_type must be a text"),
        (json.dumps({**GOOD, "implicit": "yes"}), "implicit must be true or false"),
    ],
)
def test_bad_lines_say_why(line, problem):
    [(_, row)] = native_rows(line, "train")
    with pytest.raises(RowError, match=problem):
        row()


def test_the_demo_corpus_is_read_whole(newsroom):
    for split, count in (("train", 176), ("dev", 88), ("test", 330)):
        assert len(parse((newsroom / f"{split}.jsonl").read_text(encoding="utf-8"))) == count


def test_every_registered_format_can_be_loaded():
    assert all(callable(params.FORMATS[name]) for name in params.FORMATS)
