"""Files of other tools in the place of sentences to label."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.conftest import ROOT
from tkre.core.errors import UserError
from tkre.core.files import EncodingError
from tkre.corpora.candidates import CandidateCounts
from tkre.corpora.importing import import_files
from tkre.corpora.reading import CorpusError
from tkre.corpora.row_files import TableError, columns_of, read_rows
from tkre.corpora.tool_files import read_raw, where_to_label

FILES = ROOT / "tests/corpora/files"
TASK = {"data": {"text": "Ada met Bo"}, "annotations": [{"result": []}]}
DOCCANO = (FILES / "doccano.jsonl").read_text(encoding="utf-8")
ROW = '{"sentence": "<head>Ada</head> met <tail>Bo</tail>", "relation": "met"}'


@pytest.mark.parametrize(
    ("name", "text", "commands"),
    [
        ("a.json", json.dumps([TASK]), ("import", "candidates")),
        ("a.ann", "T1\tPER 0 3\tAda", ("import", "candidates")),
        ("a.jsonl", DOCCANO, ("import", "candidates")),
        ("a.spacy", "", ("import", "candidates")),
        ("a.json", (FILES / "tacred.json").read_text(encoding="utf-8"), ("import",)),
        ("a.TXT", '1\t"<e1>a</e1> in <e2>b</e2>"\nX(e1,e2)', ("import",)),
        ("a.txt", '{"text": "[[ a ]] << b >>", "label": "X"}', ("import",)),
    ],
)  # fmt: skip
def test_the_commands_for_a_file_of_another_tool(tmp_path, name, text, commands):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    for source in (path, tmp_path):
        found = where_to_label(source)
        assert [c for c in ("import", "candidates") if f"`kedro corpus {c} {path} " in found] == [
            *commands
        ]


def test_a_command_has_a_hostile_name_of_a_file_in_quotes(tmp_path):
    (path := tmp_path / "a; echo.json").write_text(json.dumps([TASK]), encoding="utf-8")
    assert f"`kedro corpus import '{path}' my_corpus`" in where_to_label(path)


def test_the_text_of_brat_is_known_by_its_annotations(tmp_path):
    for suffix in ("txt", "ann"):
        (tmp_path / f"a.{suffix}").write_text("Ada met Bo", encoding="utf-8")
    assert where_to_label(tmp_path / "a.txt") == where_to_label(tmp_path / "a.ann")


def test_a_known_format_under_another_suffix(tmp_path):
    for name, text, suffix in [
        ("a.json", ROW, "call it .jsonl"),
        ("a.txt", "text,relation,head,tail\nAda met Bo,met,Ada,Bo\n", "call it .csv or .tsv"),
    ]:
        (tmp_path / name).write_text(text, encoding="utf-8")
        assert where_to_label(tmp_path / name).endswith(suffix)


def test_what_holds_sentences_or_nothing_known_has_no_command(tmp_path):
    for name, text in [("a.jsonl", ROW), ("a.csv", "text,relation,head\na,b,c"), ("a.txt", "Ada.")]:
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\xff")
    assert where_to_label(tmp_path) is None and where_to_label(tmp_path / "none.json") is None


def test_files_without_sentences_are_refused_by_their_format(tmp_path):
    shutil.copy(FILES / "tacred.json", tmp_path)
    with pytest.raises(TableError, match=r"tacred.json is TACRED's JSON: `kedro corpus import"):
        columns_of(tmp_path / "tacred.json")
    (tmp_path / "a.json").write_text("{}", encoding="utf-8")
    with pytest.raises(TableError, match=r"files to be read end with \.jsonl"):
        columns_of(tmp_path / "a.json")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_has_the_line_ends_of_any_system_for_every_reader(tmp_path, end):
    path, counts = tmp_path / "train.csv", CandidateCounts()
    lines = ['"sentence",relation,head,tail,"of\r\nmine"', '"Ada met Bo",met,Ada,Bo,1',
             "Ada saw Bo,saw,Ada,Bo,2"]  # fmt: skip
    path.write_bytes(end.join(lines).encode())
    assert [text for _, text in read_raw(path, counts)] == ["Ada met Bo", "Ada saw Bo"]
    assert [row.text for row in import_files(path, None, "none", 0, 1).rows] == [
        "Ada met Bo", "Ada saw Bo",
    ]  # fmt: skip
    assert [row["sentence"] for _, row in read_rows(path)] == ["Ada met Bo", "Ada saw Bo"]
    assert list(columns_of(path))[:4] == ["sentence", "relation", "head", "tail"]
    assert not counts.bad


@pytest.mark.parametrize("header", [f"sentence,relation,{'x' * 200_000}", '"sentence"x,relation'])
def test_a_header_that_is_not_csv_is_named_by_every_reader(tmp_path, header):
    path = tmp_path / "train.csv"
    path.write_text(f"{header}\nAda met Bo,met,1\n", encoding="utf-8")
    for read in (
        lambda: list(read_raw(path, CandidateCounts())),
        lambda: import_files(path, "csv", "none", 0, 1),
        lambda: columns_of(path),
    ):
        with pytest.raises(UserError, match=r"train\.csv, line 1: not CSV"):
            read()
    assert [place for place, _ in read_rows(path)] == ["line 1"]
    assert where_to_label(path) is None


SENTENCES = ["Ada met Bo.", "[1] Ada saw Bo.", '["No," she said] Bo left.']


@pytest.mark.parametrize("name", ["a.jsonl", "a.JSONL", "a.ndjson", "a.csv", "A.CSV", "a.TSV"])
def test_sentences_to_pair_are_read_by_their_suffix_in_any_case(tmp_path, name):
    path, counts = tmp_path / name, CandidateCounts()
    if name.lower().endswith("sv"):
        path.write_text("id\ttext\n7\tAda met Bo.\n", encoding="utf-8")
    else:
        path.write_text('{"id": 7, "text": "Ada met Bo."}\n', encoding="utf-8")
    assert list(read_raw(path, counts)) == [("7", "Ada met Bo.")] and not counts.bad


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ('{"id": 1, "text": "Ada met Bo."}\n', r"and call the file \.jsonl"),
        ('[{"id": 1, "sentence": "Ada met Bo."},\n{"id": 2}]', r"and call the file \.jsonl"),
        ('\n{\n "text":\n "Ada met Bo."\n}\n', r"and call the file \.jsonl"),
        ('["Ada met Bo.",\n"Ada saw Bo."]', r"and call the file \.jsonl"),
        (json.dumps([{"text": "Ada. " * 9}] * 9999), r"and call the file \.jsonl"),
        (DOCCANO, "leave --mentions and --spacy out"),
        ("text,relation,head,tail\nAda met Bo,met,Ada,Bo\n", r"call it \.csv or \.tsv"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["a.json", "a.txt", "a"])
def test_records_are_no_sentences_to_pair(tmp_path, text, way, name):
    path, counts = tmp_path / name, CandidateCounts()
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=way):
        list(read_raw(path, counts))
    path.write_text("\n".join(SENTENCES[::-1]), encoding="utf-8")
    assert [sentence for _, sentence in read_raw(path, counts)] == SENTENCES[::-1]
    path.write_text("\n".join(SENTENCES[1:]), encoding="utf-8")
    assert [sentence for _, sentence in read_raw(path, counts)] == SENTENCES[1:]


@pytest.mark.parametrize("header", ["id,text", "Text;Lang", "nr\tsentence", "\ufeffsentence,url"])
def test_a_table_is_no_sentence_a_line_under_any_suffix(tmp_path, header):
    (tmp_path / "a.txt").write_text(f"{header}\n1,Ada met Bo.\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"a\.txt, line 1: .* is the header of a table"):
        list(read_raw(tmp_path / "a.txt", CandidateCounts()))


@pytest.mark.parametrize(
    "first", ["<!DOCTYPE html>", "  <html lang='en'>", "<?xml version='1.0'?>"]
)
def test_markup_is_no_sentence_a_line(tmp_path, first):
    (tmp_path / "a.txt").write_text(f"{first}\n<p>Ada met Bo.</p>\n", encoding="utf-8")
    with pytest.raises(CorpusError, match="this is HTML or XML"):
        list(read_raw(tmp_path / "a.txt", CandidateCounts()))


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
@pytest.mark.parametrize("content", ["text,id\nAda,1\n".encode("utf-16-le"), b"Ada\0\1"])
def test_what_has_nul_characters_is_no_text(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(EncodingError, match=r"line 1: a NUL character, as in UTF-16"):
        list(read_raw(tmp_path / name, CandidateCounts()))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_line_ends_as_on_any_system(tmp_path, name, end):
    rows = ["Ada met Bo.", "Bo\u2028sang."]
    lines = rows if name == "a.txt" else [json.dumps({"text": r}, ensure_ascii=False) for r in rows]
    (tmp_path / name).write_bytes("".join(line + end for line in lines).encode())
    found = list(read_raw(tmp_path / name, CandidateCounts()))
    assert found == [("line-1", rows[0]), ("line-2", rows[1])]
    assert [place for place, _ in read_rows(tmp_path / name)] == ["line 1", "line 2"]
