from __future__ import annotations

import hashlib
import json

import pytest

from tests.conftest import instance
from tkre.core.files import EncodingError
from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import (
    CorpusError,
    CorpusFileError,
    CorpusFolder,
    LabelFileError,
    parse_labels,
    read_corpus,
    relabel,
)


# folder
@pytest.fixture
def folder(tmp_path):
    for name in ("given", "shipped", "other"):
        (tmp_path / name).mkdir()
    return CorpusFolder("mine", [tmp_path / "given", tmp_path / "shipped"])


def test_first_folder_wins(folder, tmp_path):
    (tmp_path / "shipped/relations.yml").write_text("from the project")
    assert folder.read("relations.yml") == "from the project"
    (tmp_path / "given/relations.yml").write_text("from the user")
    assert folder.read("relations.yml") == "from the user"


def test_file_of_another_corpus(folder, tmp_path):
    (tmp_path / "other/train.json").write_text("[]")
    assert folder.read("../other/train.json") == "[]"


def test_missing_file_names_all_folders(folder, tmp_path):
    with pytest.raises(CorpusFileError, match=r"(?s)mine.*given/test.txt nor .*shipped.*TKRE_DATA"):
        folder.read("test.txt")


def test_invalid_utf8_names_the_line(folder, tmp_path):
    (tmp_path / "given/train.txt").write_bytes(b"fine\nalso\n\xff\n")
    with pytest.raises(EncodingError, match=r"train.txt, line 3: not UTF-8"):
        folder.read("train.txt")


@pytest.mark.parametrize("text", ["a: [", "corpus: mine\nrelations: 3"])
def test_invalid_schema_file(folder, tmp_path, text):
    (tmp_path / "given/relations.yml").write_text(text)
    with pytest.raises(ValueError, match=r"given/relations\.yml"):
        folder.schema()


def test_digests_of_files(folder, tmp_path):
    (tmp_path / "given/relations.yml").write_bytes(b"a: 1\r\n")
    (tmp_path / "shipped/train.jsonl").write_bytes(b"")
    assert folder.digests(["train.jsonl", "missing.jsonl"]) == {
        "relations.yml": hashlib.sha256(b"a: 1\r\n").hexdigest(),
        "train.jsonl": hashlib.sha256(b"").hexdigest(),
    }


# labels
ROWS = [
    (f"line {i}", instance("<head>a</head> <tail>b</tail>", "old", id=i)) for i in ("1", "2", "3")
]


@pytest.mark.parametrize(
    "text", ['{"1": "x", "3": "y"}', '[{"id": "1", "relation": "x"}, {"id": "3", "relation": "y"}]']
)
def test_published_label_file_forms(text):
    assert parse_labels(text, "f") == {"1": "x", "3": "y"}


@pytest.mark.parametrize(
    "text", ["{", "3", '[{"id": "1"}]', '["a"]', '{"1": 4}', '[{"id": "1", "relation": null}]']
)
def test_other_label_files_are_refused(text):
    with pytest.raises(LabelFileError, match=r"tacrev/dev_patch\.json"):
        parse_labels(text, "tacrev/dev_patch.json")


def test_unlisted_rows_tacrev_and_retacred():
    labels = {"1": "x", "3": "y"}
    kept = relabel(ROWS, labels, drop_unlisted=False)
    assert [(r.id, r.relation) for _, r in kept] == [("1", "x"), ("2", "old"), ("3", "y")]
    dropped = relabel(ROWS, labels, drop_unlisted=True)
    assert [(r.id, r.relation) for _, r in dropped] == [("1", "x"), ("3", "y")]


def test_the_real_files(shared):
    patch = parse_labels((shared / "tacrev/dev_patch.json").read_text(), "dev_patch.json")
    assert len(patch) == 1590
    labels = parse_labels((shared / "retacred/test_id2label.json").read_text(), "test_id2label")
    assert len(labels) == 13418 and json.dumps(labels)


# reading
PARAMS = CorpusParams(format="native", train="train.jsonl", test="test.jsonl")


def row(row_id, relation="lives_in", types=("person", "place"), sentence=None):
    return {
        "id": row_id, "relation": relation, "head_type": types[0], "tail_type": types[1],
        "sentence": sentence or f"<head>Ada {row_id}</head> in <tail>Rome</tail>",
    }  # fmt: skip


def reader(**files):
    texts = {f"{n}.jsonl": "\n".join(json.dumps(r) for r in rows) for n, rows in files.items()}
    return texts.__getitem__


def test_splits_and_report(schema):
    corpus = read_corpus(reader(train=[row("1"), row("2")], test=[row("3")]), schema, PARAMS)
    assert [[i.id for i in rows] for rows in corpus.splits.values()] == [["1", "2"], [], ["3"]]
    assert corpus.report["rows"] == {"train": 2, "dev": 0, "test": 1}
    assert corpus.report["relations"]["train"] == {"lives_in": 2}
    assert corpus.report["bad_rows"] == []
    assert json.dumps(corpus.report)


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (
            row("2", relation="livs_in"),
            "'livs_in' is not in relations.yml .did you mean 'lives_in'",
        ),
        (row("2", types=("persn", "place")), "head_type 'persn' .*did you mean 'person'"),
        (row("2", types=("place", "place")), "does not allow lives_in between 'place' and 'place'"),
        (row("2", types=("place", "person")), "the other way round: are head and tail exchanged"),
        (row("1"), "id '1' is taken by toy/train.jsonl, line 1"),
        (row("2", sentence="<head>Ada</head> in Rome"), "tag <tail> is missing"),
    ],
)
def test_bad_row_stops_with_its_place(schema, bad, problem):
    with pytest.raises(CorpusError, match=rf"(?s)toy/train.jsonl, line 2: .*{problem}.*skip"):
        read_corpus(reader(train=[row("1"), bad], test=[]), schema, PARAMS)


def test_all_bad_rows_are_listed_up_to_a_limit(schema):
    bad = [row(str(n), relation="no") for n in range(50)]
    with pytest.raises(CorpusError, match=r"(?s)50 bad row.*line 20.*and 30 more") as error:
        read_corpus(reader(train=bad, test=[]), schema, PARAMS)
    assert "line 21" not in str(error.value)


def test_bad_rows_can_be_skipped_and_are_counted(schema):
    params = PARAMS.model_copy(update={"on_bad_row": "skip"})
    corpus = read_corpus(reader(train=[row("1"), row("2", "no")], test=[]), schema, params)
    assert [i.id for i in corpus.splits["train"]] == ["1"]
    [bad] = corpus.report["bad_rows"]
    assert (bad["file"], bad["place"]) == ("toy/train.jsonl", "line 2")


def test_type_mismatches_can_be_kept(schema):
    params = PARAMS.model_copy(update={"on_type_mismatch": "keep"})
    odd = row("2", types=("place", "place"))
    corpus = read_corpus(reader(train=[row("1"), odd], test=[]), schema, params)
    assert len(corpus.splits["train"]) == 2
    assert len(corpus.report["type_mismatches"]) == 1


def test_a_tail_that_comes_first_where_heads_do(schema):
    params = PARAMS.model_copy(update={"head_first": True})
    odd = row("2", sentence="<tail>Rome</tail> is where <head>Ada</head> lives")
    files = reader(train=[row("1"), odd], test=[])
    assert len(read_corpus(files, schema, PARAMS).splits["train"]) == 2
    with pytest.raises(CorpusError, match=r"train.jsonl, line 2: the tail .*toy.head_first"):
        read_corpus(files, schema, params)


def test_label_files_replace_labels(schema):
    params = CorpusParams(
        format="native", train="train.jsonl", test="test.jsonl",
        labels={"test": "patch.json", "drop_unlisted": True},
    )  # fmt: skip
    files = {
        "train.jsonl": json.dumps(row("1")),
        "test.jsonl": "\n".join(json.dumps(row(i)) for i in ("2", "3")),
        "patch.json": '{"3": "none"}',
    }
    corpus = read_corpus(files.__getitem__, schema, params)
    assert [(i.id, i.relation) for i in corpus.splits["test"]] == [("3", "none")]
    assert corpus.report["left_out_by_label_files"] == {"test": 1}
    assert corpus.dropped() == ["1 row(s) of test left out: its label file has no such ids"]


def test_labels_of_no_row_are_counted_and_said(schema):
    params = CorpusParams(
        format="native", train="train.jsonl",
        labels={"train": "patch.json", "drop_unlisted": False}, on_bad_row="skip",
    )  # fmt: skip
    files = {
        "train.jsonl": "\n".join([json.dumps(row("1")), "{"]),
        "patch.json": '{"test-1": "none", "test-2": "none"}',
    }
    corpus = read_corpus(files.__getitem__, schema, params)
    assert corpus.report["labels_of_no_row"] == {"train": 2}
    bad, labels = corpus.dropped()
    assert bad.startswith("1 bad row(s) left out") and "train.jsonl, line 2" in bad
    assert labels.startswith("2 label(s) for train are of no row") and "another split" in labels


@pytest.mark.parametrize(
    ("text", "problem"),
    [('{"1": "none", "1": "knows"}', "'1' stands twice"), ("[" * 10_000, "nested"),
     ('[{"id": "1", "relation": "none"}, {"id": "1", "relation": "x"}]', "1 has the labels"),
     ('{"1": ["none"]}', "both are to be texts"), ('[{"id": [1], "relation": "x"}]', "to be texts"),
     ("3", "neither an object"), ('{"1": "\\ud83d"}', "surrogate")],
)  # fmt: skip
def test_label_files_that_are_refused(text, problem):
    with pytest.raises(LabelFileError, match=problem) as error:
        parse_labels(text, "c/patch.json")
    assert "c/patch.json" in str(error.value)


# natural test
def natural(folder, tmp_path, text, **settings):
    write_corpus(tmp_path / "given")
    (tmp_path / "given/natural.txt").write_text(text)
    params = CorpusParams(
        format="native", train="train.jsonl", natural_test={"file": "natural.txt", **settings}
    )
    return read_corpus(folder.read, folder.schema(), params)


def write_corpus(folder):
    relations = {
        name: {"definition": f"Head {name} tail.", "phrase": name} for name in ("owns", "likes")
    }
    (folder / "relations.yml").write_text(json.dumps({"corpus": "mine", "relations": relations}))
    row = {"id": "1", "sentence": "<head>Ada</head> has <tail>it</tail>.", "relation": "owns"}
    (folder / "train.jsonl").write_text(json.dumps(row) + "\n")


def test_natural_test_is_a_split_in_its_own_format(folder, tmp_path):
    row = {"text": "[[ Bo ]] sees << Cy >> .", "label": "likes"}
    corpus = natural(folder, tmp_path, json.dumps(row) + "\n", format="scibert")
    [read] = corpus.splits["natural_test"]
    assert (read.id, read.relation, read.head_text) == ("natural_test-0", "likes", "Bo")
    assert corpus.report["rows"] == {"train": 1, "dev": 0, "test": 0, "natural_test": 1}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "1"}, "id '1' is taken by mine/train.jsonl, line 1"),
        ({"relation": "lkes"}, "'likes'"),
    ],
)
def test_bad_rows_of_the_natural_test_name_their_line(folder, tmp_path, change, message):
    row = {"id": "2", "sentence": "<head>Bo</head> <tail>Cy</tail>", "relation": "likes"} | change
    with pytest.raises(CorpusError, match=r"mine/natural\.txt, line 1: .*" + message):
        natural(folder, tmp_path, json.dumps(row) + "\n")


def test_a_corpus_without_a_natural_test_has_no_such_split(folder, tmp_path):
    write_corpus(tmp_path / "given")
    params = CorpusParams(format="native", train="train.jsonl")
    assert "natural_test" not in read_corpus(folder.read, folder.schema(), params).splits
    assert params.test_labels == "balanced"
