from __future__ import annotations

import pytest

from tkre.corpora.formats import RowError, semeval_rows

TEXT = (
    '1\t"The <e1>cake</e1> came from the "<e2>oven</e2>"."\r\n'
    "Entity-Origin(e1,e2)\r\n"
    "Comment: fine.\r\n"
    "\r\n"
    '2\t"A <e2>b</e2> and an <e1>a</e1>."\r\n'
    "Other\r\n"
    "Comment:\r\n"
    "\r\n"
)


def test_rows():
    [(first, a), (second, b)] = [(place, row()) for place, row in semeval_rows(TEXT, "train")]
    assert (first, second) == ("line 1", "line 5")
    assert (a.id, a.text) == ("train-1", 'The cake came from the "oven".')
    assert (a.head_text, a.tail_text, a.relation) == ("cake", "oven", "Entity-Origin(e1,e2)")
    assert (b.id, b.head_text, b.tail_text, b.head_type) == ("train-2", "a", "b", None)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ('7\t"only <e1>one</e1>"\nOther\n', "line 1", "train-7: tag <e2> is missing"),
        ('7\tno <e1>a</e1> <e2>b</e2>\nOther\n', "line 1", "double quotes"),
        ('7\t"<e1>a</e1> <e2>b</e2>"\n8\t"<e1>a</e1> <e2>b</e2>"\nOther\n', "line 1", "no label"),
        ('7\t"<e1>a</e1> <e2>b</e2>"', "line 1", "no label"),
        ("\nsomething else\n", "line 2", "neither a sentence"),
    ],
)  # fmt: skip
def test_bad_rows_have_a_place_and_a_reason(text, place, problem):
    first, *_ = semeval_rows(text, "train")
    assert first[0] == place
    with pytest.raises(RowError, match=problem):
        first[1]()


@pytest.mark.parametrize(
    ("file", "split", "count", "first"),
    [("TRAIN_FILE.TXT", "train", 8000, "train-1"),
     ("TEST_FILE_FULL.TXT", "test", 2717, "test-8001")],
)  # fmt: skip
def test_the_real_files_are_read_whole(shared, file, split, count, first):
    text = (shared / "semeval2010_task8" / file).read_bytes().decode("utf-8-sig")
    instances = [row() for _, row in semeval_rows(text, split)]
    assert len(instances) == count
    assert instances[0].id == first
    assert len({i.relation for i in instances}) == 19
    assert all(i.head < i.tail for i in instances)
