from __future__ import annotations

import json

import pytest

from tkre.corpora.params import CorpusParams
from tkre.corpora.reading import CorpusError, read_corpus

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
def test_a_bad_row_stops_with_file_line_reason_and_way_out(schema, bad, problem):
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


def test_types_against_the_schema_can_be_kept_and_are_counted(schema):
    params = PARAMS.model_copy(update={"on_type_mismatch": "keep"})
    odd = row("2", types=("place", "place"))
    corpus = read_corpus(reader(train=[row("1"), odd], test=[]), schema, params)
    assert len(corpus.splits["train"]) == 2
    assert len(corpus.report["type_mismatches"]) == 1


def test_labels_are_laid_over(schema):
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
