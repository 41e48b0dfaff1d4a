"""Checks of a corpus: what a new user does to the files, and the findings."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT, instance
from tkre.core.text import NearDuplicateParams
from tkre.corpora.params import CorpusParams, LabelFiles, NaturalTest
from tkre.corpora.reading import Corpus, CorpusFolder
from tkre.corpora.scaffold import Scaffold
from tkre.corpora.schema_validation import Level
from tkre.corpora.validation import (
    check_corpus,
    row_findings,
    shortfalls,
)

# corpus
NEAR = NearDuplicateParams(overlap_words=4, max_overlap=0.5)
PARAMS = CorpusParams(format="native", train="train.jsonl", test="test.jsonl")


@pytest.fixture
def theatre(tmp_path) -> Path:
    folder = tmp_path / "theatre"
    shutil.copytree(ROOT / "docs/examples/theatre", folder)
    return folder


def check(folder: Path, params: CorpusParams = PARAMS, shots: int = 8):
    return check_corpus(CorpusFolder(folder.name, [folder]), params, NEAR, shots)


def errors(folder: Path, params: CorpusParams = PARAMS) -> list[str]:
    return [str(f) for f in check(folder, params).findings if f.level == Level.ERROR]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_example_corpus_is_valid(theatre):
    checked = check(theatre)
    assert checked.usable and checked.corpus is not None
    [note] = checked.findings
    assert note.level == Level.NOTE and "no row is left to validate on" in note.message


def test_demo_corpus_is_valid(newsroom):
    params = PARAMS.model_copy(update={"dev": "dev.jsonl"})
    checked = check_corpus(CorpusFolder("newsroom", [newsroom]), params, NEAR, 8)
    assert [f.level for f in checked.findings] == [Level.NOTE]


def test_labels_of_native_rows_may_be_a_list(theatre):
    row = json.loads((theatre / "train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    labels = [{"id": row["id"], "relation": row["relation"]}]
    (theatre / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    given = LabelFiles(train="labels.json", drop_unlisted=False)
    assert errors(theatre, PARAMS.model_copy(update={"labels": given})) == []


def test_natural_test_is_checked_like_a_test_set(theatre):
    train = (theatre / "train.jsonl").read_text(encoding="utf-8").splitlines()
    row = json.loads(train[0]) | {"id": "natural-1"}
    (theatre / "natural.jsonl").write_text(json.dumps(row) + "\n{}\n", encoding="utf-8")
    params = PARAMS.model_copy(update={"natural_test": NaturalTest(file="natural.jsonl")})
    lines = errors(theatre, params)
    assert any("theatre/natural.jsonl, line 2: " in line for line in lines)
    [leak] = [line for line in lines if "natural.jsonl, line 1" in line]
    assert "the same sentence and mentions as theatre/train.jsonl, line 1" in leak
    assert "a run that samples the row is refused" in leak
    missing = PARAMS.model_copy(update={"natural_test": NaturalTest(file="nothing.jsonl")})
    assert "'nothing.jsonl' is missing" in " ".join(errors(theatre, missing))


def test_semeval_is_checked_to_its_end(shared):
    params = CorpusParams(format="semeval", train="TRAIN_FILE.TXT", test="TEST_FILE_FULL.TXT",
                          on_leakage="set_aside")  # fmt: skip
    folder = CorpusFolder("semeval2010_task8", [shared / "semeval2010_task8"])
    checked = check_corpus(folder, params, NEAR, 8)
    assert checked.usable
    assert len([f for f in checked.findings if f.kind == "test rows in train"]) == 2


def test_fresh_scaffold_has_only_placeholder_errors(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    for file, content in Scaffold("mine", ("owns", "sells"), ("person",), "none").files().items():
        (folder / file).write_text(content)
    lines = errors(folder, CorpusParams(format="native", train="train.jsonl"))
    assert len(lines) == 5
    assert sum("is still to be written" in line for line in lines) == 2
    assert sum("still the example row" in line for line in lines) == 3


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
def test_bad_rows_name_their_line(theatre, old, new, message):
    edit(theatre / "train.jsonl", old, new)
    [line] = errors(theatre)
    assert line.startswith("error    theatre/train.jsonl, line ") and message in line


def test_rows_are_counted_without_bad_rows(theatre):
    edit(theatre / "train.jsonl", "</tail>", "")
    messages = [f.message for f in check(theatre).findings]
    assert "rows per relation are counted once the bad rows are corrected" in messages
    skipping = PARAMS.model_copy(update={"on_bad_row": "skip"})
    checked = check(theatre, skipping)
    assert checked.usable
    assert any("left out, by on_bad_row: skip" in f.message for f in checked.findings)
    assert any("fewer than 8 rows in train" in f.message for f in checked.findings)


def test_byte_order_mark_and_crlf(theatre):
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


def test_unlabelled_rows_are_checked(theatre):
    line = '{"id": "u", "sentence": "<head>Ada</head> met <tail>Bo</tail>.", "head_type": "persn"}'
    (theatre / "more.jsonl").write_text(f"{line}\n{line}\n", encoding="utf-8")
    (theatre / "ids.txt").write_text("train-0001\nnone\n", encoding="utf-8")

    def with_pool(**unlabelled: str) -> CorpusParams:
        params = {"format": "native", "train": "train.jsonl", "unlabelled": unlabelled}
        return CorpusParams.model_validate(params)

    def problems(**unlabelled: str) -> str:
        return " ".join(errors(theatre, with_pool(**unlabelled)))

    assert "id 'u' is taken by line 1" in (found := problems(file="more.jsonl"))
    assert "'persn' is not one of the entity types" in found
    # Ids are no JSON Lines.
    assert "no row 'none' in train.jsonl" in (found := problems(train_ids="ids.txt"))
    assert "JSON" not in found
    assert "'gone.txt' is missing" in problems(train_ids="gone.txt")
    # Raw text may come later.
    assert problems(file="later.jsonl") == ""
    notes = [f.message for f in check(theatre, with_pool(file="later.jsonl")).findings]
    assert any("later.jsonl is made of raw sentences by kedro corpus cand" in n for n in notes)


def test_reviewed_rows_are_checked(theatre):
    (theatre / "reviewed.jsonl").write_text('{"id": "reviewed/u"}\n', encoding="utf-8")
    [problem] = errors(theatre)
    assert "theatre/reviewed.jsonl, line 1: review: " in problem
    (theatre / "reviewed.jsonl").write_bytes(b"\n\xe9")
    [problem] = errors(theatre)
    assert "reviewed.jsonl, line 2: not UTF-8" in problem


@pytest.mark.parametrize("head", ["[0, 8]", "[1, 10]"])
def test_mentions_that_cut_a_word_are_warned_of(theatre, head):
    """An offset of the last character, and one that is counted from 1."""
    row = f'{{"id": "cut", "text": "Vera Holt plays Hamlet.", "head": {head}, "tail": [16, 22]'
    with (theatre / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write(f'{row}, "relation": "wrote_play"}}\n')
    found = [f for f in check(theatre).findings if f.kind == "mentions that cut words"]
    assert len(found) == 1 and "the head '" in found[0].message and "within a word" in str(found[0])


def test_undeclared_split_file(theatre):
    params = CorpusParams(format="native", train="train.jsonl")
    warnings = [f for f in check(theatre, params).findings if f.level == Level.WARNING]
    assert ["add `test: test.jsonl` to corpora.theatre" in f.message for f in warnings] == [True]


def test_untyped_rows_in_a_typed_corpus(theatre):
    path = theatre / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    del rows[2]["head_type"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    [warning] = [f for f in check(theatre).findings if f.level == Level.WARNING]
    assert "1 of 72 rows" in warning.message and "line 3" in warning.message


def test_kept_type_mismatches_are_notes(theatre):
    old = '"head_type": "person", "tail_type": "play"'
    edit(theatre / "train.jsonl", old, '"head_type": "play", "tail_type": "play"')
    params = PARAMS.model_copy(update={"on_type_mismatch": "keep"})
    notes = [f for f in check(theatre, params).findings if "does not allow" in f.message]
    assert [f.level for f in notes] == [Level.NOTE]


def test_rows_are_not_checked_without_a_schema(theatre):
    (theatre / "relations.yml").write_text("relations: [")
    checked = check(theatre)
    assert checked.corpus is None and not checked.usable
    assert "rows are not checked" in checked.findings[-1].message


def test_unreadable_label_files(theatre):
    (theatre / "labels.json").write_text("{")
    labels = {"test": "labels.json", "drop_unlisted": False}
    params = CorpusParams.model_validate(PARAMS.model_dump() | {"labels": labels})
    assert "labels.json, line 1: not JSON" in errors(theatre, params)[0]


# rows


def rows_of(schema, **splits) -> Corpus:
    full = {split: splits.get(split, []) for split in ("train", "dev", "test")}
    places = {row.id: f"{split}, line {n}" for split, of in full.items()
              for n, row in enumerate(of, start=1)}  # fmt: skip
    return Corpus(full, schema, places)


def found(rows: Corpus, kind: str, *, stops: bool = True):
    return [f for f in row_findings(rows, NEAR, leakage_stops=stops) if f.kind == kind]


def row(sentence: str, relation: str, number: str, **types):
    return instance(sentence, relation, id=number, **types)


LIVES = "<head>Anna Berg</head> lives in the old town of <tail>Oslo</tail> with her friend."
EXCHANGED = "<tail>Anna Berg</tail> lives in the old town of <head>Oslo</head> with her friend."


def test_valid_rows(schema, toy_rows):
    rows = rows_of(schema, train=toy_rows)
    assert [f for f in row_findings(rows, NearDuplicateParams(max_overlap=0.9), leakage_stops=True)
            if f.level == Level.ERROR] == []  # fmt: skip


def test_placeholder_row(schema):
    rows = rows_of(schema, train=[row("TODO: <head>a</head> <tail>b</tail>", "knows", "1")])
    [finding] = found(rows, "placeholder")
    assert finding.level == Level.ERROR and finding.place == "train, line 1"


def test_duplicate_and_contradicting_rows(schema):
    same = LIVES.replace("lives in", "LIVES  in")
    rows = rows_of(
        schema, train=[row(LIVES, "lives_in", "1"), row(same, "lives_in", "2"),
                       row(LIVES, "none", "3")],
    )  # fmt: skip
    [twice] = found(rows, "rows that stand twice")
    assert (twice.place, twice.level) == ("train, line 2", Level.WARNING)
    [contradiction] = found(rows, "contradictions")
    assert contradiction.place == "train, line 3"
    assert "labelled none, but lives_in in train, line 1" in contradiction.message


def test_repeated_name_is_two_mentions(schema):
    one = "<head>Anna</head> and Anna met <tail>Bert</tail>"
    other = "Anna and <head>Anna</head> met <tail>Bert</tail>"
    rows = rows_of(schema, train=[row(one, "knows", "1"), row(other, "none", "2")])
    assert not found(rows, "contradictions")


def test_inverted_pairs_must_fit_the_inverses(schema):
    for relation, fits in (("home_of", True), ("lives_in", False), ("none", False)):
        rows = rows_of(schema, train=[row(LIVES, "lives_in", "1"), row(EXCHANGED, relation, "2")])
        findings = found(rows, "directions that do not fit")
        assert [f.level for f in findings] == ([] if fits else [Level.WARNING]), relation


def test_leaked_test_rows(schema):
    rows = rows_of(schema, train=[row(LIVES, "lives_in", "1")], test=[row(LIVES, "none", "t")])
    [finding] = found(rows, "test rows in train")
    assert finding.level == Level.ERROR and finding.place == "test, line 1"
    [finding] = found(rows, "test rows in train", stops=False)
    assert finding.level == Level.WARNING


def test_leaked_dev_rows(schema):
    same = [row(LIVES, "lives_in", n) for n in "abc"]
    rows = rows_of(schema, train=same[:1], dev=same[1:2], test=same[2:])
    assert found(rows, "dev rows in train")[0].level == Level.WARNING
    assert found(rows, "test rows in dev")[0].level == Level.WARNING


def test_near_duplicates(schema):
    near = LIVES.replace("friend", "sister")
    rows = rows_of(schema, train=[row(LIVES, "lives_in", "1"), row(near, "lives_in", "2")],
                   test=[row(LIVES.replace("old", "new"), "lives_in", "3")])  # fmt: skip
    [finding] = found(rows, "near-duplicates in train")
    assert finding.place == "train, line 2" and "of train, line 1" in finding.message
    split = rows_of(schema, train=[row(LIVES, "lives_in", "1")], test=[row(near, "lives_in", "2")])
    assert found(split, "near-duplicates in test")[0].place == "test, line 1"


def test_several_pairs_of_a_sentence_are_not_duplicates(schema):
    rows = rows_of(schema, train=[row(LIVES, "lives_in", "1"), row(EXCHANGED, "home_of", "2")])
    assert not found(rows, "near-duplicates in train") and not found(rows, "rows that stand twice")


def test_mention_with_a_rare_second_type(schema):
    kinds = {"head_type": "person", "tail_type": "place"}
    sentences = [f"<head>Anna</head> saw <tail>Oslo</tail> {word}" for word in ("a", "b", "c")]
    train = [row(s, "none", s[-1], **kinds) for s in sentences[:2]]
    swapped = sentences[2].replace("head>", "x>").replace("tail>", "head>").replace("x>", "tail>")
    train.append(row(swapped, "none", "c", **kinds))
    findings = found(rows_of(schema, train=train), "mentions of two types")
    assert {f.place for f in findings} == {"train, line 3"}
    message = "'oslo' is a person here and a place in 2 other rows"
    assert len([f for f in findings if f.message.startswith(message)]) == 1


def test_shortfalls(schema, toy_rows):
    def lines_of(shots, **splits):
        return [str(f) for f in shortfalls(rows_of(schema, **splits), shots)]

    assert any("no row is left to validate on" in line for line in lines_of(5, train=toy_rows))
    [first, *_] = lines_of(6, train=toy_rows)
    assert "fewer than 6 rows in train" in first and "knows (5)" in first
    without = [r for r in toy_rows if r.relation != "knows"]
    assert any(line.startswith("error") and "'knows' has no row" in line
               for line in lines_of(5, train=without))  # fmt: skip
    lines = lines_of(3, train=toy_rows)
    assert any("fewer than 3 rows to validate on in train beyond the 3" in x for x in lines)
    assert any("there is no test split" in line for line in lines)
    lines = lines_of(5, train=toy_rows, dev=without, test=without)
    assert any("fewer than 5 rows to validate on in dev: knows (0)" in x for x in lines)
    assert any("no row in test, so no score: knows" in line for line in lines)
    assert lines_of(2, train=toy_rows, test=toy_rows) == []
