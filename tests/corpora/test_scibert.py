from __future__ import annotations

import json

import pytest

from tkre.corpora.formats import RowError, scibert_rows


def line(text: str, label: str = "USED-FOR") -> str:
    return json.dumps({"text": text, "label": label, "metadata": []})


def test_rows_are_numbered_from_zero():
    text = line("We use << HMMs >> for [[ tagging ]] .") + "\n" + line("[[ a ]] << b >>", "PART-OF")
    [(place, a), (_, b)] = [(place, row()) for place, row in scibert_rows(text, "dev")]
    assert (place, a.id, b.id) == ("line 1", "dev-0", "dev-1")
    assert (a.text, a.head_text, a.tail_text) == ("We use HMMs for tagging .", "tagging", "HMMs")
    assert b.relation == "PART-OF"


def test_much_greater_than_is_not_a_mark():
    [(_, row)] = scibert_rows(line("<< X >> inhibits: [[ a ]] >> b >> c"), "dev")
    assert row().text == "X inhibits: a >> b >> c"


@pytest.mark.parametrize(
    ("text", "problem"),
    [("no head, << t >>", "head .. stands 0 times"), ("[[ a ]] [[ b ]] << t >>", "stands 2 times")],
)
def test_bad_marks(text, problem):
    [(_, row)] = scibert_rows(line(text), "dev")
    with pytest.raises(RowError, match=problem):
        row()


@pytest.mark.parametrize(
    ("corpus", "counts"),
    [("scierc", (3219, 455, 974)), ("chemprot", (4169, 2427, 3469))],
)
def test_the_real_files_are_read_whole(shared, corpus, counts):
    for split, count in zip(("train", "dev", "test"), counts, strict=True):
        text = (shared / corpus / f"{split}.txt").read_text(encoding="utf-8")
        assert len([row() for _, row in scibert_rows(text, split)]) == count
