"""Files of sentences in the forms that people have them in."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tkre.core.errors import UserError
from tkre.corpora.records import RowError, unlabelled_record
from tkre.corpora.row_files import (
    TableError,
    columns_of,
    read_rows,
    record_of,
    require_rows,
    widened,
    writer,
)

TEXT = "\u738b\u4f1f\u4f4f\u5728\u5317\u4eac\u3002"


def spans(fields):
    row = unlabelled_record(record_of(fields), "1")
    return row.head.of(row.text), row.tail.of(row.text)


@pytest.mark.parametrize(
    "fields",
    [
        {"text": TEXT, "head": "[0, 2]", "tail": [4, 6]},
        {"text": TEXT, "head_start": "0", "head_end": "2", "tail_start": 4.0, "tail_end": 6},
        {"sentence": TEXT, "head": TEXT[:2], "head_offset": "0", "tail": TEXT[4:6],
         "tail_offset": "4"},
        {"Context": TEXT, "subject": TEXT[:2], "object": TEXT[4:6]},
        {"sentence": f"<head>{TEXT[:2]}</head>{TEXT[2:4]}<tail>{TEXT[4:6]}</tail>",
         "sentence_id": "7", "year": "1999"},
    ],
)  # fmt: skip
def test_spans_in_any_form(fields):
    assert spans(fields) == (TEXT[:2], TEXT[4:6])


TAGGED = f"<head>{TEXT[:2]}</head>{TEXT[2:4]}<tail>{TEXT[4:6]}</tail>"


@pytest.mark.parametrize("sentence", ["sentence", "text", "Sentence", "Text", "context", "CONTEXT"])
@pytest.mark.parametrize(
    "types", [("head_type", "tail_type"), ("Head Type", "Tail Type"), ("e1_type", "object label")]
)
def test_columns_of_any_name_are_read_in_tagged_and_in_plain_rows(sentence, types):
    kinds = dict(zip(types, ("person", "place"), strict=True))
    rows = [
        {sentence: TAGGED},
        {sentence: TEXT, "subject": TEXT[:2], "object": TEXT[4:6]},
        {sentence: TEXT, "head": [0, 2], "tail": [4, 6]},
    ]
    for fields in rows if sentence != "sentence" else rows[:2]:
        row = unlabelled_record(record_of({"id": "7", "note": None, **fields, **kinds}), "1")
        assert (row.id, row.head_text, row.tail_text) == ("7", TEXT[:2], TEXT[4:6])
        assert (row.head_type, row.tail_type) == ("person", "place")
        blank = unlabelled_record(record_of(fields | dict.fromkeys(types, " ")), "1")
        assert blank.head_type is None or types[0] == "head_type"


def test_a_tagged_and_a_plain_sentence_stay_two():
    for other in ("sentence", "Context"):
        both = {other: TAGGED, "text": TEXT}
        with pytest.raises(RowError, match="it has both"):
            unlabelled_record(record_of(both), "1")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": TEXT, "head": "[0, 2]", "head_typ": "x"}, "did you mean 'head_type'"),
        (
            {"text": TEXT, "head": TEXT[:2], "head_offset": "1", "tail": "x"},
            "the tail 'x' does not stand in the sentence",
        ),
        ({"text": TEXT, "head_start": 1}, "has a start, and neither an end nor a text"),
    ],
)
def test_what_is_no_span_is_named(fields, message):
    with pytest.raises(RowError, match=message):
        record_of(fields)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_tables_of_any_delimiter(tmp_path, delimiter, end):
    lines = ["id|sentence|note", '1|"a ""b""\nc"|', "2|x", "3|y|z"]
    file = tmp_path / "a.csv"
    text = end.join(line.replace("|", delimiter) for line in lines)
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    rows = dict(read_rows(file))
    assert rows["line 2"] == {"id": "1", "sentence": 'a "b"\nc', "note": None}
    assert "2 cells, the header has 3" in str(rows["line 4"])
    assert rows["line 5"] == {"id": "3", "sentence": "y", "note": "z"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"sentence\na\nb\xff\n", "a.csv, line 3: not UTF-8"),
        ("a.csv", "sentence,id".encode("utf-16"), "a.csv, line 1: not UTF-8"),
        ("a.csv", b"sentence,id,id\n", "a.csv, line 1: column 'id' stands twice"),
        ("a.jsonl", b'{"id": 1}\n\xff', "a.jsonl, line 2: not UTF-8"),
        ("a.csv", b"a,b\n1,2\n", "no column 'sentence'"),
        ("a.csv", b"", "no column 'sentence'"),
        ("a.txt", b"a\n\xe4\n", "a.txt, line 2: not UTF-8"),
        ("a.xlsx", b"PK", "files to be read end with .jsonl, .csv, .tsv, .txt, .parquet"),
        ("a.parquet", b"PK", "no Parquet file, or a torn one"),
    ],
)  # fmt: skip
def test_files_that_are_none_are_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    for read in (columns_of, require_rows):
        with pytest.raises(UserError, match=message):
            read(tmp_path / name)


def test_a_column_of_parquet_that_stands_twice_is_refused(tmp_path):
    table = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["sentence", "sentence"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(TableError, match=r"a.parquet: column 'sentence' stands twice: rename one"):
        require_rows(tmp_path / "a.parquet")


def test_a_value_of_parquet_that_python_lacks_is_named(tmp_path):
    days = pa.array([2**31 - 1], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"sentence": ["a"], "day": days}), tmp_path / "a.parquet")
    with pytest.raises(TableError, match=r"a.parquet is damaged behind row 0: "):
        list(read_rows(tmp_path / "a.parquet"))


def test_of_json_lines_only_the_encoding_is_looked_at_before_they_are_labelled(tmp_path):
    (tmp_path / "a.jsonl").write_text("no JSON\n")
    require_rows(tmp_path / "a.jsonl")


def test_bad_csv_is_a_bad_row(tmp_path):
    (tmp_path / "a.csv").write_text('sentence\n"a" b\nc\n')
    rows = dict(read_rows(tmp_path / "a.csv"))
    assert "not CSV" in str(rows["line 2"]) and rows["line 3"] == {"sentence": "c"}


def test_bad_json_is_a_bad_row(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n{"id": \n\n[1]\n')
    rows = dict(read_rows(tmp_path / "a.jsonl"))
    assert rows["line 1"] == {"id": 1}
    assert isinstance(rows["line 2"], RowError) and "object" in str(rows["line 4"])


def test_mixed_values_are_kept(tmp_path):
    pd = pytest.importorskip("pandas")
    rows = [{"a": 1, "b": "x", "c": [1], "d": None, "e": 10**30, "f": True},
            {"a": 2.5, "b": 7, "c": None, "g": "late"}]  # fmt: skip
    columns = widened(rows)
    assert columns == {"a": "double", "b": "json", "c": "json", "d": "null", "e": "json",
                       "f": "bool", "g": "string"}  # fmt: skip
    with writer(tmp_path / "t", ".parquet", columns) as write:
        write(rows[:1])
        write(rows[1:])
    frame = pd.read_parquet(tmp_path / "t")
    assert frame["a"].tolist() == [1, 2.5] and frame["b"].tolist() == ["x", "7"]
    assert json.loads(frame["c"][0]) == [1] and frame["e"][0] == str(10**30)


LONG = 2**53 + 1  # no float holds it


@pytest.mark.parametrize(
    ("values", "kind"),
    [([1.5, LONG], "json"), ([LONG, 1.5], "json"), ([1, LONG], "int64"), ([1, 1.5], "double"),
     ([LONG, 1, 1.5], "json"), ([2**53, 1.5], "double"), ([-LONG, 2**63], "json")],
)  # fmt: skip
def test_long_numbers_keep_their_digits(tmp_path, values, kind):
    rows = [{"a": value} for value in values]
    columns = widened(rows)
    assert columns == {"a": kind}
    with writer(tmp_path / "t", ".parquet", columns) as write:
        write(rows)
    found = [row["a"] for _, row in read_parquet(tmp_path)]
    assert [json.loads(value) if kind == "json" else value for value in found] == values


def read_parquet(folder):
    (folder / "t").rename(folder / "t.parquet")
    return read_rows(folder / "t.parquet")


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_what_is_no_number_is_null(tmp_path, suffix):
    nan, infinity = float("nan"), float("inf")
    table = pa.table({"a": [nan, infinity], "b": [[1.0, nan], [2.0]], "c": [1.5, nan]})
    pq.write_table(table, tmp_path / "in.parquet")
    rows = [row for _, row in read_rows(tmp_path / "in.parquet")]
    file = tmp_path / f"out{suffix}"
    with writer(file, suffix, widened(rows)) as write:
        write(rows)
    again = [row for _, row in read_rows(file)]
    if suffix == ".jsonl":
        assert again == [
            {"a": None, "b": [1.0, None], "c": 1.5},
            {"a": None, "b": [2.0], "c": None},
        ]
    else:
        assert [json.loads(row["b"]) for row in again] == [[1.0, None], [2.0]]
    if suffix == ".csv":
        assert [row["a"] for row in again] == [None, None] and again[1]["c"] is None


def test_blanks_around_the_names_of_columns_belong_to_none(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("id, text, head, tail, note\n1,Ada met Bo,Ada,Bo,mine\n", encoding="utf-8")
    [(_, row)] = read_rows(file)
    assert list(columns_of(file)) == list(row) == ["id", "text", "head", "tail", "note"]
