from __future__ import annotations

import json

import pytest

from tkre.corpora.candidates import CandidateCounts, MentionList, Pairs, candidates, read_sentences
from tkre.corpora.unlabelled import read_unlabelled

NAMES = MentionList(
    [("Ada", "person"), ("Bert", "person"), ("Oslo", "place"), ("Rome", "place")],
    ignore_case=False,
)


def made(lines, pairs=None, *, as_json=False):
    counts = CandidateCounts()
    sentences = read_sentences(lines, json=as_json, counts=counts)
    find = lambda texts: map(NAMES.find, texts)  # noqa: E731
    return list(candidates(sentences, find, pairs or Pairs(), counts)), counts


def test_every_ordered_pair_is_a_sentence_to_be_labelled():
    records, counts = made(["Ada left Bert in Oslo.\n"])
    assert len(records) == 6 and counts.pairs == 6
    read = read_unlabelled("".join(json.dumps(r) + "\n" for r in records), "out.jsonl")
    assert {(i.head_text, i.tail_text) for i in read} == {
        (a, b) for a in ("Ada", "Bert", "Oslo") for b in ("Ada", "Bert", "Oslo") if a != b
    }
    assert all(i.text == "Ada left Bert in Oslo." for i in read)
    assert {(i.head_text, i.head_type) for i in read} == {
        ("Ada", "person"), ("Bert", "person"), ("Oslo", "place"),
    }  # fmt: skip
    assert [r["id"] for r in records] == [f"line-1/{n}" for n in range(1, 7)]


def test_or_every_pair_as_it_stands_in_the_text():
    records, _ = made(["Oslo and Ada"], Pairs(both_ways=False))
    assert [r["sentence"] for r in records] == ["<head>Oslo</head> and <tail>Ada</tail>"]


def test_of_many_pairs_the_closest_are_taken_and_the_others_counted():
    records, counts = made(["Ada Bert went from Oslo to Rome"], Pairs(both_ways=False, most=2))
    assert [r["sentence"].count("Ada</head> <tail>Bert") for r in records] == [1, 0]
    assert "<head>Oslo</head> to <tail>Rome</tail>" in records[1]["sentence"]
    assert counts.beyond == 4 and counts.pairs == 2


def test_pairs_that_no_relation_joins_are_left_out(schema):
    # lives_in: person, place; home_of: place, person; knows: person, person. "none" joins any.
    records, counts = made(["Ada in Oslo or Rome"], Pairs(schema=schema))
    kinds = {(r["head_type"], r["tail_type"]) for r in records}
    assert kinds == {("person", "place"), ("place", "person")}
    assert (counts.pairs, counts.ruled_out) == (4, 2)


def test_sentences_without_a_pair_are_counted():
    _, counts = made(["Nobody here", "Ada alone", "Ada and Bert", "", "  \n"])
    assert (counts.sentences, counts.no_mention, counts.one_mention) == (3, 1, 1)
    assert counts.mentions == 3 and counts.kinds == {"person": 3}


def test_json_lines_keep_their_ids():
    records, _ = made(['{"id": 7, "sentence": "Ada and Bert", "source": "x"}'],
                      Pairs(both_ways=False), as_json=True)  # fmt: skip
    assert [r["id"] for r in records] == ["7/1"]


@pytest.mark.parametrize(
    ("line", "as_json", "problem"),
    [
        ("{not json", True, "line 2: not JSON"),
        ('{"text": "Ada"}', True, "line 2: key 'sentence' is missing"),
        ("A <head> in a sentence", False, "line 2: it has a tag of ours"),
        ("<head>Ada</head> <tail>Bert</tail>", False, "line 2: its pair is marked already"),
    ],
)
def test_lines_that_hold_no_sentence_cost_nothing_but_themselves(line, as_json, problem):
    good = '{"sentence": "Ada and Bert"}' if as_json else "Ada and Bert"
    records, counts = made([good, line, good], as_json=as_json)
    assert len(records) == 4 and counts.sentences == 2
    [bad] = counts.bad
    assert bad.startswith(problem)


def test_a_finder_that_reads_ahead_keeps_sentences_and_mentions_together():
    def in_one_batch(texts):
        texts = list(texts)  # as spaCy reads a batch before it gives the first document
        return [NAMES.find(text) for text in texts]

    counts = CandidateCounts()
    sentences = [("a", "Ada and Bert"), ("b", "Rome"), ("c", "Oslo and Rome")]
    records = list(candidates(iter(sentences), in_one_batch, Pairs(both_ways=False), counts))
    assert [(r["id"], r["head_type"]) for r in records] == [("a/1", "person"), ("c/1", "place")]
