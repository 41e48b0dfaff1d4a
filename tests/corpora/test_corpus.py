"""Corpora as files: what a new user does to them, and what is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusFolder
from tkre.corpora.scaffold import Scaffold
from tkre.corpora.schema_validation import Level
from tkre.corpora.validation import Likeness, check_corpus

ALIKE = Likeness(4, 0.5)
PARAMS = CorpusParams(format="native", train="train.jsonl", test="test.jsonl")


@pytest.fixture
def theatre(tmp_path) -> Path:
    folder = tmp_path / "theatre"
    shutil.copytree(ROOT / "docs/examples/theatre", folder)
    return folder


def check(folder: Path, params: CorpusParams = PARAMS, shots: int = 8):
    return check_corpus(CorpusFolder(folder.name, [folder]), params, ALIKE, shots)


def errors(folder: Path, params: CorpusParams = PARAMS) -> list[str]:
    return [str(f) for f in check(folder, params).findings if f.level == Level.ERROR]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_example_is_in_order(theatre):
    checked = check(theatre)
    assert checked.usable and checked.rows is not None
    [note] = checked.findings
    assert note.level == Level.NOTE and "no row is left to validate on" in note.message


def test_the_demo_corpus_is_in_order(newsroom):
    params = PARAMS.model_copy(update={"dev": "dev.jsonl"})
    checked = check_corpus(CorpusFolder("newsroom", [newsroom]), params, ALIKE, 8)
    assert [f.level for f in checked.findings] == [Level.NOTE]


def test_a_corpus_with_a_thousand_quirks_is_read_to_its_end(shared):
    params = CorpusParams(format="semeval", train="TRAIN_FILE.TXT", test="TEST_FILE_FULL.TXT",
                          on_leakage="set_aside")  # fmt: skip
    folder = CorpusFolder("semeval2010_task8", [shared / "semeval2010_task8"])
    checked = check_corpus(folder, params, ALIKE, 8)
    assert checked.usable
    assert len([f for f in checked.findings if f.kind == "test rows in train"]) == 2


def test_a_fresh_scaffold_is_all_placeholders(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for file, content in Scaffold("mine", ("owns", "sells"), ("person",), "none").files().items():
        (folder / file).write_text(content)
    told = errors(folder, CorpusParams(format="native", train="train.jsonl"))
    assert len(told) == 5
    assert sum("is still to be written" in line for line in told) == 2
    assert sum("still the example row" in line for line in told) == 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"relation": "wrote_play"', '"relation": "wrot_play"', "line 1: relation 'wrot_play' is "
         "not in relations.yml (did you mean 'wrote_play'?)"),
        ("</tail> in a rented", "</tial> in a rented", "tag </tail> is missing in"),
        ('"head_type": "person"', '"head_type": "pearson"', "did you mean 'person'?"),
        ('"head_type": "person", "tail_type": "play"', '"head_type": "play", "tail_type": "person"',
         "the other way round: are head and tail exchanged?"),
        ('"tail_type"', '"tailtype"', "unknown key 'tailtype' (did you mean 'tail_type'?)"),
        ("train-0002", "train-0001", "line 2: id 'train-0001' is taken by"),
        ("finished", "finished\t", r"a tab is written \t"),
        ("finished", 'finished "', r"a double quote inside a text is written \""),
        ('{"id": "train-0001"', "{'id': 'train-0001'", "stand in double quotes"),
    ],
)  # fmt: skip
def test_bad_rows_name_their_line_and_the_way_out(theatre, old, new, message):
    edit(theatre / "train.jsonl", old, new)
    [line] = errors(theatre)
    assert line.startswith("error    theatre/train.jsonl, line ") and message in line


def test_rows_are_counted_once_all_can_be_read(theatre):
    edit(theatre / "train.jsonl", "</tail>", "")
    messages = [f.message for f in check(theatre).findings]
    assert "how many rows relations have is looked at once the bad rows are mended" in messages
    skipping = PARAMS.model_copy(update={"on_bad_row": "skip"})
    checked = check(theatre, skipping)
    assert checked.usable
    assert any("left out, by on_bad_row: skip" in f.message for f in checked.findings)
    assert any("fewer than 8 rows in train" in f.message for f in checked.findings)


def test_a_byte_order_mark_and_line_ends_of_windows_are_no_problem(theatre):
    for file in ("train.jsonl", "relations.yml"):
        content = (theatre / file).read_bytes()
        (theatre / file).write_bytes(b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"))
    assert errors(theatre) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "theatre/train.jsonl: the file is empty"),
        (b"\n\n", "theatre/train.jsonl: the file is empty"),
        (b'[{"id": "1"}]', 'the first row does not begin with "{"'),
        (b"id,sentence,relation\n1,a,b\n", 'the first row does not begin with "{"'),
        ("{\u00e4}".encode("latin-1"), "line 1: not UTF-8"),
        ("{}".encode("utf-16"), "save it as UTF-8"),
    ],
)
def test_files_of_another_kind(theatre, content, message):
    (theatre / "train.jsonl").write_bytes(content)
    [line] = errors(theatre)
    assert message in line


@pytest.mark.parametrize("file", ["train.jsonl", "test.jsonl", "relations.yml"])
def test_missing_files(theatre, file):
    (theatre / file).unlink()
    [line] = errors(theatre)
    assert f"file '{file}' is missing" in line and line.count(file) == 2


def test_a_split_that_is_there_and_not_read(theatre):
    params = CorpusParams(format="native", train="train.jsonl")
    told = [f for f in check(theatre, params).findings if f.level == Level.WARNING]
    assert ["add `test: test.jsonl` to corpora.theatre" in f.message for f in told] == [True]


def test_rows_without_types_in_a_corpus_that_has_types(theatre):
    path = theatre / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    del rows[2]["head_type"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [warning] = [f for f in check(theatre).findings if f.level == Level.WARNING]
    assert "1 of 72 rows" in warning.message and "line 3" in warning.message


def test_types_that_are_kept_all_the_same_are_notes(theatre):
    old = '"head_type": "person", "tail_type": "play"'
    edit(theatre / "train.jsonl", old, '"head_type": "play", "tail_type": "play"')
    params = PARAMS.model_copy(update={"on_type_mismatch": "keep"})
    notes = [f for f in check(theatre, params).findings if "does not allow" in f.message]
    assert [f.level for f in notes] == [Level.NOTE]


def test_without_a_schema_rows_wait(theatre):
    (theatre / "relations.yml").write_text("relations: [")
    checked = check(theatre)
    assert checked.rows is None and not checked.usable
    assert "rows are not checked" in checked.findings[-1].message


def test_label_files_that_cannot_be_read(theatre):
    (theatre / "labels.json").write_text("{")
    labels = {"test": "labels.json", "drop_unlisted": False}
    params = CorpusParams.model_validate(PARAMS.model_dump() | {"labels": labels})
    assert "labels.json is neither" in errors(theatre, params)[0]
