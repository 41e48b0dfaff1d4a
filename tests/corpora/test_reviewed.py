"""Answers of a person: from the page or a spreadsheet to ``reviewed.jsonl``, and back."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from tests.conftest import instance
from tkre.core.instance import to_tagged
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusError, CorpusFolder
from tkre.corpora.reviewed import accept, read_reviewed, table, writable
from tkre.corpora.tables import REVIEWED

TYPES = {"head_type": "person", "tail_type": "place"}
ADA = instance("<head>Ada</head> lives in <tail>Oslo</tail>.", id="line-1", **TYPES)
BO = instance("<head>Bo</head> knows <tail>Ada</tail>.", id="line-2",
              head_type="person", tail_type="person")  # fmt: skip
# What a cell, a script or a line of JSON may break on.
HOSTILE = [
    "=cmd('/C calc')!A1 \"<head>Eve</head>\" in <tail>Rome</tail>",
    "+1 <head>a</head>,<tail>b</tail>; @SUM(1)",
    "'quoted <head>a</head> '<tail>b</tail>'",
    "''=1 <head>a</head>\t<tail>b</tail>",
    "</script><script>alert(1)</script> <head>a</head> <tail>b</tail>",
    "\u202egnirts <head>\u05d0\u05d1</head> \u2028 <tail>\u2029b</tail>",
    "two\nlines\r\nand <head>a \U0001f600</head>\r<tail>b</tail>",
    "\uff1dSUM(A1) <head>a</head> <tail>b</tail>",
]
POOL = [ADA, BO, *(instance(text, id=f"={n}") for n, text in enumerate(HOSTILE))]
PARAMS = CorpusParams(format="native", train="train.jsonl")


def record(row, relation="lives_in", **more):
    return {
        "id": row.id, "sentence": to_tagged(row), "relation": relation, "llm_relation": "none",
        "llm_confidence": 60, "classifier_relation": "lives_in", "classifier_confidence": 81,
    } | more  # fmt: skip


@pytest.fixture
def read_back(tmp_path, schema):
    """Reads answers back: a text, or records as JSON Lines; writes what is accepted."""
    folder = CorpusFolder("toy", [tmp_path])

    def run(given, file="answers.jsonl", *, params=PARAMS):
        text = given if isinstance(given, str) else "".join(json.dumps(r) + "\n" for r in given)
        found = accept(file, text, POOL, folder, schema, params,
                       annotation_ids="annotation/toy/", today="2026-11-29")  # fmt: skip
        with (tmp_path / "reviewed.jsonl").open("a", encoding="utf-8") as target:
            target.writelines(f"{line}\n" for line in found.lines)
        return found, read_reviewed(folder, schema, params)

    return run


def filled(records, relations):
    """The table of records as a person has filled it in."""
    rows = list(csv.reader(io.StringIO(table(records), newline="")))
    for row, relation in zip(rows[1:], relations, strict=True):
        row[0] = relation
    return rows


def saved(rows, delimiter=","):
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=delimiter).writerows(rows)
    return file.getvalue()


def test_no_file_is_no_row(tmp_path, schema):
    assert read_reviewed(CorpusFolder("toy", [tmp_path]), schema, PARAMS) == []


def test_an_accepted_answer_is_a_row_with_its_origin(read_back, tmp_path):
    found, rows = read_back([record(ADA), record(BO, "knows", llm_relation="knows")])
    assert rows == [replace(ADA, id="reviewed/line-1", relation="lives_in"),
                    replace(BO, id="reviewed/line-2", relation="knows")]  # fmt: skip
    assert all(row.reviewed and row.natural and not row.annotated for row in rows)
    assert found.decisions == ["corrected", "accepted"]
    line = (tmp_path / "reviewed.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert json.loads(line)["review"] == {
        "decision": "corrected", "annotation": "annotation/toy/line-1", "llm_relation": "none",
        "llm_confidence": 60, "classifier_relation": "lives_in", "classifier_confidence": 81,
        "reviewed_on": "2026-11-29",
    }  # fmt: skip


def test_a_row_that_no_model_has_labelled(read_back):
    found, [row] = read_back([{k: record(ADA)[k] for k in ("id", "sentence", "relation")}])
    assert row.relation == "lives_in"
    assert json.loads(found.lines[0])["review"] == {
        "decision": "corrected", "reviewed_on": "2026-11-29",
    }  # fmt: skip


def test_the_same_answers_twice_change_nothing(read_back):
    _, rows = read_back([record(ADA)])
    found, again = read_back([record(ADA), record(ADA), record(BO, "knows")])
    assert (found.unchanged, len(found.lines)) == (2, 1)
    assert again[:1] == rows


@pytest.mark.parametrize("key", record(ADA))
@pytest.mark.parametrize("odd", [["a"], {"a": 1}, 10**30, 4.5, "x"])
def test_an_odd_value_of_an_answer_is_refused_with_its_line(read_back, key, odd):
    # The sentence alone would tell the row.
    other = {"sentence": "<head>Ada</head> left <tail>Oslo</tail>."} if key == "id" else {}
    with pytest.raises(CorpusError, match=r"answers\.jsonl, line 1: "):
        read_back([record(ADA) | other | {key: odd}])


@pytest.mark.parametrize(
    ("delimiter", "file"),
    [(",", "Answers.CSV"), (";", "answers.csv"), ("\t", "answers.tsv"), ("\t", "answers.txt")],
)
def test_a_table_comes_back_from_a_spreadsheet(read_back, delimiter, file):
    rows = filled([record(row) for row in POOL], ["lives_in", "", *["none"] * len(HOSTILE)])
    found, reviewed = read_back(saved(rows, delimiter), file)
    assert found.empty == 1
    expected = [replace(row, id=f"reviewed/{row.id}", relation="none") for row in POOL[2:]]
    assert reviewed[1:] == expected


def test_no_cell_of_a_table_is_a_formula():
    text = table([record(row, llm_relation="@none") for row in POOL])
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert len(cells) == len(REVIEWED) * (len(POOL) + 1)
    assert not [cell for cell in cells if cell[:1] and cell[0] in "=+-@\t\r\n\uff1d"]


def test_hostile_text_comes_back_from_json_lines(read_back, tmp_path):
    _, rows = read_back([record(row, "none") for row in POOL[2:]])
    assert [row.text for row in rows] == [row.text for row in POOL[2:]]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"relation": "lives_inn"}, "'lives_inn' is not in relations.yml (did you mean 'lives_in"),
        ({"relation": "knows"}, "does not allow knows between 'person' and 'place'"),
        ({"relation": 3}, "relation must be a text, not 3"),
        (
            {"id": "line-9", "sentence": "<head>Ada</head> left <tail>Oslo</tail>."},
            "there is no unlabelled row 'line-9' in toy",
        ),
        ({"sentence": "<head>Ada</head> left <tail>Oslo</tail>."}, "is not that of the corpus"),
        ({"sentence": "<tail>Ada</tail> lives in <head>Oslo</head>."}, "is not that of the corpus"),
        ({"llm_relation": "x"}, "llm_relation 'x' is not in relations.yml"),
        ({"llm_confidence": 101}, "llm_confidence: Input should be less than or equal to 100"),
        ({"classifier_confidence": "0,9"}, "(it is '0,9')"),
    ],
)
def test_a_bad_answer_is_named_by_its_line_and_nothing_is_written(read_back, change, reason):
    with pytest.raises(CorpusError) as refused:
        read_back([record(BO, "knows"), record(ADA) | change])
    message = str(refused.value)
    assert "1 bad reviewed row(s): nothing is written" in message
    assert "answers.jsonl, line 2: " in message and reason in message
    assert read_back([record(ADA)])[1][0].id == "reviewed/line-1"


def test_answers_survive_candidates_that_are_marked_anew(read_back, tmp_path, schema):
    """With more text or names a pair has another id, and its old id may be that of another pair."""
    read_back([record(ADA)])
    renumbered = [replace(BO, id="line-1"), replace(ADA, id="line-2")]
    folder = CorpusFolder("toy", [tmp_path])
    lines = "\n".join(json.dumps(r) for r in (record(BO, "knows"), record(ADA)))
    found = accept("old.jsonl", lines, renumbered, folder, schema, PARAMS,
                   annotation_ids="annotation/toy/", today="2026-11-30")  # fmt: skip
    assert found.unchanged == 1
    [new] = map(json.loads, found.lines)
    assert (new["id"], new["review"]["annotation"]) == (
        "reviewed/line-1-2",
        "annotation/toy/line-1",
    )
    with (tmp_path / "reviewed.jsonl").open("a", encoding="utf-8") as file:
        file.write(found.lines[0])
    rows = read_reviewed(folder, schema, PARAMS)
    assert [(row.text, row.relation) for row in rows] == [
        (ADA.text, "lives_in"), (BO.text, "knows")
    ]  # fmt: skip


def test_two_answers_for_one_row_are_refused(read_back):
    with pytest.raises(CorpusError, match=r"line 2: 'line-1' is 'none' here and 'lives_in' in lin"):
        read_back([record(ADA), record(ADA, "none")])
    read_back([record(ADA)])
    with pytest.raises(CorpusError, match=r"'lives_in' in reviewed\.jsonl, line 1: keep one of"):
        read_back([record(ADA, "none")])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("relation,id\n", "line 1: there is no column 'sentence'"),
        ("relation,id,sentence,id\n", "line 1: column 'id' stands twice: rename one of them"),
        ("relation,sentence,id\nnone,x\n", "line 2: 2 cells, the header has 3"),
        ('relation,sentence,id\n"none,x,y\n', "line 2: not CSV"),
        ('relation,sentence,id\n,"a\nb",c\nnone,s,line-1\n', "line 4: the sentence of 'line-1'"),
    ],
)
def test_a_bad_table_is_named_by_its_line(read_back, text, reason):
    with pytest.raises(CorpusError) as refused:
        read_back(text, "a.csv")
    assert f"a.csv, {reason}" in str(refused.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nonsense", "not JSON"),
        ({"review": None}, "review: "),
        ({"review": {"decision": "guessed", "reviewed_on": "x"}}, "(it is 'guessed')"),
        ({"id": "line-1"}, "id 'line-1' does not begin with 'reviewed/'"),
        ({"relation": "livesin"}, "relation 'livesin' is not in relations.yml"),
        ({"extra": 1}, "unknown key 'extra'"),
    ],
)
def test_a_bad_line_of_the_corpus_is_named(read_back, tmp_path, line, reason):
    read_back([record(BO, "knows")])
    good = {"id": "reviewed/line-1", "sentence": to_tagged(ADA), "relation": "lives_in",
            "review": {"decision": "accepted", "reviewed_on": "2026-11-29"}}  # fmt: skip
    with (tmp_path / "reviewed.jsonl").open("a", encoding="utf-8") as file:
        file.write(line if isinstance(line, str) else json.dumps(good | line))
    with pytest.raises(CorpusError) as refused:
        read_back([])
    assert "toy/reviewed.jsonl, line 2: " in str(refused.value) and reason in str(refused.value)


def test_a_reviewed_tail_before_its_head_is_refused_where_the_head_comes_first(
    read_back, tmp_path, schema
):
    read_back([record(ADA)])
    inverted = replace(ADA, id="reviewed/x", head=ADA.tail, tail=ADA.head, relation="lives_in",
                       head_type="place", tail_type="person")  # fmt: skip
    line = {"id": inverted.id, "sentence": to_tagged(inverted), "relation": "lives_in",
            "review": {"decision": "accepted", "reviewed_on": "2026-11-29"}}  # fmt: skip
    with (tmp_path / "reviewed.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    folder = CorpusFolder("toy", [tmp_path])
    assert len(read_reviewed(folder, schema, PARAMS)) == 2
    with pytest.raises(CorpusError, match=r"line 2: the tail precedes the head"):
        read_reviewed(folder, schema, PARAMS.model_copy(update={"head_first": True}))


def test_a_text_with_tags_of_its_own_is_not_writable():
    assert all(map(writable, POOL))
    assert not writable(replace(ADA, text="Ada lives in Oslo <head>."))
