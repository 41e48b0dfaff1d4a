from __future__ import annotations

import json

import pytest

from tkre.corpora.formats import native_rows, scibert_rows, semeval_rows, tacred_rows
from tkre.corpora.params import FORMATS
from tkre.corpora.recognition import recognised
from tkre.corpora.records import RowError

# native
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


def test_line_separator_in_a_sentence():
    sentence = "<head>a</head>\u2028b <tail>c</tail>"
    [(place, row)] = parse(json.dumps(GOOD | {"sentence": sentence}, ensure_ascii=False))
    assert place == "line 1" and row.text == "a\u2028b c"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{not json", "not JSON"),
        ("[1]", "object was expected, not list"),
        (
            json.dumps(GOOD).replace('"id"', "\u201cid\u201d"),
            'straight double quotes, ", not in \u201c',
        ),
        (json.dumps(GOOD).replace('"id"', '"id\u201d'), 'straight double quotes, ", not in \u201d'),
        (
            json.dumps(GOOD).replace('"a"', "\u201ea\u201c"),
            'straight double quotes, ", not in \u201e',
        ),
        (json.dumps({**GOOD, "sentence": "<head>Ada</head> in Rome"}), "<tail> is missing"),
        (json.dumps({**GOOD, "head_typ": "x"}), "unknown key 'head_typ' .did you mean 'head_type'"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "relation"}), "'relation' is missing"),
        (json.dumps({k: v for k, v in GOOD.items() if k != "id"}), "key 'id' is missing"),
        (json.dumps({**GOOD, "head_type": 3}), "head_type must be a text"),
        (json.dumps({**GOOD, "implicit": "yes"}), "implicit must be true or false"),
    ],
)
def test_bad_native_lines(line, problem):
    [(_, row)] = native_rows(line, "train")
    with pytest.raises(RowError, match=problem):
        row()


def test_the_demo_corpus_is_read_whole(newsroom):
    for split, count in (("train", 176), ("dev", 88), ("test", 330)):
        assert len(parse((newsroom / f"{split}.jsonl").read_text(encoding="utf-8"))) == count


# scibert
def line(text: str, label: str = "USED-FOR") -> str:
    return json.dumps({"text": text, "label": label, "metadata": []})


def test_rows_are_numbered_from_zero():
    text = line("We use << HMMs >> for [[ tagging ]] .") + "\n" + line("[[ a ]] << b >>", "PART-OF")
    [(place, a), (_, b)] = [(place, row()) for place, row in scibert_rows(text, "dev")]
    assert (place, a.id, b.id) == ("line 1", "dev-0", "dev-1")
    assert (a.text, a.head_text, a.tail_text) == ("We use HMMs for tagging .", "tagging", "HMMs")
    assert b.relation == "PART-OF"


def test_much_greater_than_sign():
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
def test_the_real_files_of_scibert_are_read_whole(shared, corpus, counts):
    for split, count in zip(("train", "dev", "test"), counts, strict=True):
        text = (shared / corpus / f"{split}.txt").read_text(encoding="utf-8")
        assert len([row() for _, row in scibert_rows(text, split)]) == count


# semeval
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


@pytest.mark.parametrize("ends", ["\r\n", "\n", "\r"])
def test_rows(ends):
    text = TEXT.replace("\r\n", ends)
    [(first, a), (second, b)] = [(place, row()) for place, row in semeval_rows(text, "train")]
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
def test_the_real_files_of_semeval_are_read_whole(shared, file, split, count, first):
    text = (shared / "semeval2010_task8" / file).read_bytes().decode("utf-8-sig")
    instances = [row() for _, row in semeval_rows(text, split)]
    assert len(instances) == count
    assert instances[0].id == first
    assert len({i.relation for i in instances}) == 19
    assert all(i.head < i.tail for i in instances)


# tacred
# Written for this test: no sentence of TACRED is in the repository.
ROW = {
    "id": "r1", "relation": "per:title",
    "token": ["Ada", "Moen", "-LRB-", "born", "1970", "-RRB-", ",", "the", "mayor", ",", "spoke"],
    "subj_start": 0, "subj_end": 1, "subj_type": "PERSON",
    "obj_start": 8, "obj_end": 8, "obj_type": "TITLE",
}  # fmt: skip


def test_inclusive_token_indices_and_brackets():
    [(place, row)] = tacred_rows(json.dumps([ROW]), "train")
    instance = row()
    assert place == "record 1"
    lines = f"{json.dumps(ROW)}\n{{}}\n{json.dumps(ROW)}\n"
    (first, one), (bad, _), (last, other) = tacred_rows(lines, "train")
    assert (first, bad, last) == ("line 1", "line 2", "line 3")
    assert one() == other() == instance and recognised(lines) == "tacred"
    [(_, numbered)] = tacred_rows(json.dumps([ROW | {"id": 7}]), "train")
    assert numbered().id == "7"
    assert instance.text == "Ada Moen ( born 1970 ) , the mayor , spoke"
    assert (instance.head_text, instance.tail_text) == ("Ada Moen", "mayor")
    assert (instance.head_type, instance.tail_type) == ("PERSON", "TITLE")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"obj_end": 11}, "obj tokens 8-11 are not within the 11 tokens"),
        ({"subj_end": -1}, "subj tokens 0--1"),
        ({"subj_start": "0"}, "must be whole numbers"),
        ({"subj_start": False}, "must be whole numbers"),
        ({"token": "Ada"}, "token must be a list"),
        ({"subj_type": None}, "subj_type must be a text"),
        ({"relation": None}, "relation must be a text"),
        ({"id": 1.5}, "id must be a text or a whole number"),
    ],
)
def test_bad_rows(change, problem):
    [(_, row)] = tacred_rows(json.dumps([ROW | change]), "train")
    with pytest.raises(RowError, match=problem):
        row()


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [("[\n{,", "line 2", "not JSON"), ("{}", "line 1", "token must be a list of texts"),
     ("[3]", "record 1", "object was expected, not int")],
)  # fmt: skip
def test_files_that_are_no_list_of_rows(text, place, problem):
    [(found, row)] = tacred_rows(text, "train")
    assert found == place
    with pytest.raises(RowError, match=problem):
        row()


def test_every_registered_format_can_be_loaded():
    assert all(callable(FORMATS[name]) for name in FORMATS)
