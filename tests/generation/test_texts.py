from __future__ import annotations

from dataclasses import replace

import pytest

from tests.conftest import instance
from tkre.generation import texts as knowledge
from tkre.generation.texts import (
    from_explanation,
    from_frame,
    from_sentence,
    knowledge_texts,
    to_frame,
)

ROW = instance(
    "<head>Ada</head> lived in <tail>Rome</tail> , and Ada loved Rome .", "lives_in", id="r",
    triggers=("lived in",),
    explanation='The verb "lived in" puts Ada into Rome, so Ada lives there and Rome is her home.',
)  # fmt: skip


def marked(text: knowledge.KnowledgeText) -> tuple[list[str], ...]:
    spans = (text.heads, text.tails, text.relations)
    return tuple([s.of(text.text) for s in role] for role in spans)


def test_every_occurrence_of_a_mention_is_marked():
    heads, tails, relations = marked(from_sentence(ROW, "support"))
    assert (heads, tails) == (["Ada", "Ada"], ["Rome", "Rome"])
    assert relations == ["lived in"]


def test_explanations_mark_relation_word_forms(schema):
    text = from_explanation(ROW, schema.relations["lives_in"])
    assert marked(text) == (["Ada", "Ada"], ["Rome", "Rome"], ["lived in", "lives"])


def test_negative_relation_words_are_not_marked(schema):
    row = replace(ROW, explanation="Ada and Rome are not related.", triggers=())
    [between] = marked(from_explanation(row, schema.relations["none"]))[2]
    assert between == "and"


def test_without_a_trigger_the_text_between_is_marked():
    row = instance("In <tail>Rome</tail>, rain fell on <head>Ada</head>.", "lives_in")
    assert marked(from_sentence(row, "support"))[2] == ["rain fell on"]


def test_mentions_are_cut_out_of_relation_spans():
    row = instance("<head>Ada</head> met <tail>Bo</tail> today", "k", triggers=("Ada met Bo",))
    assert marked(from_sentence(row, "synthetic")) == (["Ada"], ["Bo"], ["met"])


def test_mentions_are_whole_words():
    row = instance("<head>an</head> ant and <tail>t</tail>", "k")
    heads, tails, _ = marked(from_sentence(row, "support"))
    assert (heads, tails) == (["an"], ["t"])


@pytest.mark.parametrize(("trigger", "found"), [("'s", ["s"]), ("S", ["s"])])
def test_triggers_that_begin_with_punctuation(trigger, found):
    row = instance("<head>Ada</head>'s <tail>book</tail>", "k", triggers=(trigger,))
    # The apostrophe alone is no word: the span is trimmed to its word.
    assert marked(from_sentence(row, "support"))[2] == found


def test_no_relation_span_without_trigger_and_text_between():
    assert from_sentence(instance("<head>a</head> <tail>b</tail>", "k"), "support").relations == ()


def test_sources_and_round_trip(schema):
    silent = replace(ROW, id="silent", explanation=None)
    synthetic = [replace(ROW, id="s", explanation=None)]
    texts = knowledge_texts(
        [ROW, silent], synthetic, schema, ["explanation", "synthetic", "support"]
    )
    assert [(t.source, t.id) for t in texts] == [
        ("explanation", "r"), ("synthetic", "s"), ("support", "r"), ("support", "silent"),
    ]  # fmt: skip
    assert from_frame(to_frame(texts)) == texts
    assert knowledge_texts([ROW], synthetic, schema, ["synthetic"])[0].source == "synthetic"


def test_round_trip_through_json_lines(schema, tmp_path):
    import pandas as pd

    texts = knowledge_texts([ROW], [], schema, ["explanation"])
    path = tmp_path / "k.jsonl"
    to_frame(texts).to_json(path, lines=True, orient="records")
    assert from_frame(pd.read_json(path, lines=True, dtype=False)) == texts


def test_recorded_texts_do_not_hold_labels(newsroom, newsroom_schema):
    import json

    from tkre.corpora.formats import native_rows

    recorded = {}
    for line in (newsroom / "recordings.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        recorded[record["request_id"]] = record["response"]
    checked = 0
    for _, parse in native_rows((newsroom / "train.jsonl").read_text(encoding="utf-8"), "train"):
        row = parse()
        answer = recorded.get(f"explanation/newsroom/{row.id}")
        if answer is None:
            continue
        row = replace(row, explanation=answer["explanation"], triggers=tuple(answer["triggers"]))
        text = from_explanation(row, newsroom_schema.relations[row.relation])
        assert text.heads and text.tails
        if row.relation != "no_relation":
            assert row.relation not in text.text
            assert text.relations
        checked += 1
    assert checked == 88
