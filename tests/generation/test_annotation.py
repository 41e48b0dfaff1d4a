from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from tests.conftest import instance
from tests.generation.scripted import Scripted, cut_off
from tkre.corpora.params import CorpusParams
from tkre.corpora.pool import read_pool
from tkre.corpora.reading import CorpusFolder
from tkre.generation.annotation import (
    annotate,
    annotation_requests,
    keep_annotations,
    possible_relations,
)
from tkre.generation.llm.cost import estimate
from tkre.generation.llm.protocol import Response, attempts_by_request
from tkre.generation.llm.replay import Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import AnnotationParams, RetryParams
from tkre.generation.prompts import PromptError

RETRY = RetryParams(attempts=3)
PARAMS = AnnotationParams()
SUPPORT = [
    instance("<head>Cy</head> lives in <tail>Oslo</tail>.", "lives_in", id="s1"),
    instance("<head>Di</head> lives in <tail>Bergen</tail>.", "lives_in", id="s2"),
    instance("<head>Cy</head> saw <tail>Di</tail>.", "none", id="s3"),
]
ADA = instance("<head>Ada</head> lives in <tail>Rome</tail>.", id="a",
               head_type="person", tail_type="place")  # fmt: skip
BO = instance("<head>Bo</head> saw <tail>Ada</tail>.", id="b")
IMPOSSIBLE = replace(ADA, id="x", head_type="place", tail_type="place")


@pytest.fixture(scope="module")
def prompt(root):
    return (root / "conf/base/prompts/annotation.txt").read_text(encoding="utf-8")


def good(relation="lives_in", confidence=90, triggers=("lives in",)):
    return {"relation": relation, "confidence": confidence, "triggers": list(triggers)}


def keep(schema, answer, row=ADA):
    key = f"annotation/toy/{row.id}"
    return keep_annotations([row], {key: [Response(key, answer=answer)]}, schema)


def test_requests_begin_alike_and_end_with_the_sentence(schema, prompt):
    requests = annotation_requests([ADA, BO], [], schema, prompt, PARAMS)
    assert [r.id for r in requests] == ["annotation/toy/a", "annotation/toy/b"]
    texts = ["\n".join(m["content"] for m in r.messages) for r in requests]
    shared, _, end = texts[0].partition("Relations to choose from: ")
    assert texts[1].startswith(shared)
    assert all(f"- {n}: {r.definition}" in shared for n, r in schema.relations.items())
    assert end == "lives_in, none\nSentence: <head>Ada</head> lives in <tail>Rome</tail>."


def test_a_prompt_without_the_sentence_is_refused_before_it_is_paid_for(schema, prompt):
    with pytest.raises(PromptError, match=r"annotation.txt has no \$sentence"):
        annotation_requests([ADA], [], schema, prompt.replace("$sentence", "it"), PARAMS)


def test_a_label_of_an_unlabelled_row_is_not_in_its_request(schema, prompt):
    labelled = [replace(BO, relation=name, triggers=("saw",)) for name in schema.names]
    digests = {
        annotation_requests([row], [], schema, prompt, PARAMS)[0].digest("m") for row in labelled
    }
    assert len(digests) == 1


@pytest.mark.parametrize(("shown", "sentences"), [(0, []), (1, ["Cy", "Cy"]), (9, "CDC")])
def test_demonstrations_per_relation(schema, prompt, shown, sentences):
    params = PARAMS.model_copy(update={"demonstrations": shown})
    [request] = annotation_requests([ADA], SUPPORT, schema, prompt, params)
    text = request.messages[-1]["content"]
    assert text.count("Relation: ") == len(sentences)
    assert ("(none)" in text) == (not sentences)
    assert ("<head>Cy</head> lives in <tail>Oslo</tail>. Relation: lives_in" in text) == (shown > 0)


def test_types_restrict_the_answer(schema, prompt):
    assert possible_relations(ADA, schema) == ["lives_in", "none"]
    assert possible_relations(BO, schema) == schema.names
    typed, untyped = annotation_requests([ADA, BO], [], schema, prompt, PARAMS)
    assert typed.schema["properties"]["relation"]["enum"] == ["lives_in", "none"]
    assert untyped.schema["properties"]["relation"]["enum"] == schema.names
    assert "choose from: lives_in, none\n" in typed.messages[-1]["content"]
    Draft202012Validator.check_schema(typed.schema)


def test_pairs_that_no_relation_joins_are_not_requested(schema, prompt):
    assert possible_relations(IMPOSSIBLE, schema) == []
    assert annotation_requests([IMPOSSIBLE], [], schema, prompt, PARAMS) == []
    annotations, tally = keep_annotations([IMPOSSIBLE], {}, schema)
    [reject] = tally.rejects
    assert (annotations, tally.requested, reject.reason) == ([], 0, "type")


def test_kept_annotations_have_relation_triggers_and_confidence(schema):
    [annotation], tally = keep(schema, good(triggers=("lives in", "lives in", "lives")))
    assert annotation.instance == replace(
        ADA, id="annotation/toy/a", relation="lives_in", triggers=("lives in", "lives")
    )
    assert annotation.instance.annotated and not ADA.annotated
    assert annotation.confidence == 0.9
    assert (tally.wanted, tally.requested, tally.answered, tally.kept) == (1, 1, 1, 1)
    [otherwise_written], _ = keep(schema, good(confidence=90.0, triggers=("lives\u00a0in",)))
    assert otherwise_written.instance.triggers == ("lives in",)
    assert otherwise_written.confidence == 0.9
    [negative], _ = keep(schema, good("none", 0, ()))
    assert (negative.instance.relation, negative.confidence) == ("none", 0.0)


@pytest.mark.parametrize(
    ("answer", "reason", "relation"),
    [
        (good("likes"), "unknown_relation", ""),
        (good("knows"), "type", "knows"),
        (good(triggers=("moved to",)), "invented_trigger", "lives_in"),
        (good(triggers=("Lives in",)), "invented_trigger", "lives_in"),
        (good(triggers=(" ",)), "invented_trigger", "lives_in"),
        (good(triggers=(3,)), "invented_trigger", "lives_in"),
        (good(confidence=101), "wrong_schema", "lives_in"),
        (good(confidence=-1), "wrong_schema", "lives_in"),
        (good(confidence=0.9), "wrong_schema", "lives_in"),
        (good(confidence=True), "wrong_schema", "lives_in"),
        ({"relation": ["lives_in"], "confidence": 3, "triggers": []}, "wrong_schema", ""),
        ({**good(), "triggers": "lives in"}, "wrong_schema", "lives_in"),
        ({}, "wrong_schema", ""),
    ],
)  # fmt: skip
def test_reasons_of_rejected_annotations(schema, answer, reason, relation):
    annotations, tally = keep(schema, answer)
    [reject] = tally.rejects
    assert annotations == [] and (tally.answered, tally.kept) == (1, 0)
    assert (reject.kind, reject.reason, reject.relation) == ("annotation", reason, relation)
    assert reject.request_id == "annotation/toy/a" and reject.text == str(answer or "")


def test_missing_and_failed_answers_are_rejects(schema):
    key = "annotation/toy/b"
    failed = Response(key, reason="truncated", error="cut off", text='{"rel')
    annotations, tally = keep_annotations(
        [ADA, BO], {key: [failed, Response(key, answer=good("knows", 60, ("saw",)))]}, schema
    )
    assert [a.instance.id for a in annotations] == ["annotation/toy/b"]
    assert [(r.reason, r.text) for r in tally.rejects] == [
        ("no_answer", ""), ("truncated", '{"rel'),
    ]  # fmt: skip
    assert (tally.wanted, tally.requested, tally.answered, tally.kept) == (2, 3, 1, 1)


def test_only_unusable_annotations_are_retried(schema, prompt):
    def answer(request):
        if request.id.endswith("b"):
            return cut_off(request) if request.attempt < 1 else good("knows", 60, ("saw",))
        return good() if request.attempt == 2 else good(triggers=("invented",))

    model = Scripted(answer)
    rows = [ADA, BO, IMPOSSIBLE]
    responses = annotate(model, rows, SUPPORT, schema, prompt, PARAMS, RETRY)
    assert [i[-1] for i in model.asked] == ["a", "b", "a", "b", "a"]
    annotations, tally = keep_annotations(rows, attempts_by_request(responses), schema)
    assert [a.instance.relation for a in annotations] == ["lives_in", "knows"]
    assert Counter(r.reason for r in tally.rejects) == {
        "invented_trigger": 2, "truncated": 1, "type": 1,
    }  # fmt: skip


VOTES = PARAMS.model_copy(update={"votes": 3})


def test_further_votes_see_the_relations_in_another_order(schema, prompt):
    requests = annotation_requests([ADA, BO], SUPPORT, schema, prompt, VOTES)
    assert [r.id for r in requests] == [
        "annotation/toy/a", "annotation/toy/b", "annotation/toy/a/vote-2",
        "annotation/toy/b/vote-2", "annotation/toy/a/vote-3", "annotation/toy/b/vote-3",
    ]  # fmt: skip
    assert requests[:2] == annotation_requests([ADA, BO], SUPPORT, schema, prompt, PARAMS)
    texts = [r.messages[-1]["content"] for r in requests]
    orders = []
    for text in texts[::2]:
        listed = text.partition("Relations:")[2].partition("Examples:")[0]
        orders.append(
            sorted(schema.names, key=lambda name, listed=listed: listed.index(f"- {name}:"))
        )
    assert len({tuple(order) for order in orders}) == 3
    # The votes of all rows share their beginning, too.
    assert (
        texts[2].partition("Relations to choose")[0] == texts[3].partition("Relations to choose")[0]
    )
    choices = [r.schema["properties"]["relation"]["enum"] for r in requests[::2]]
    assert {frozenset(c) for c in choices} == {frozenset(choices[0])}


def voted(schema, *answers):
    keys = ["annotation/toy/b", "annotation/toy/b/vote-2", "annotation/toy/b/vote-3"]
    responses = {
        key: [Response(key, answer=answer)]
        for key, answer in zip(keys, answers, strict=True)
        if answer
    }
    return keep_annotations([BO], responses, schema, votes=3)


@pytest.mark.parametrize(
    ("answers", "relation", "confidence"),
    [((("knows", 10), ("none", 90), ("knows", 20)), "knows", 2 / 3),
     ((("none", 10), ("knows", 90), ("knows", 20)), "knows", 2 / 3),
     ((("none", 10), ("knows", 90), None), "none", 1 / 3),
     ((None, ("knows", 90), ("none", 20)), "knows", 1 / 3),
     ((None, None, ("none", 20)), "none", 1 / 3)],
)  # fmt: skip
def test_the_majority_of_votes_and_its_share(schema, answers, relation, confidence):
    given = [answer and good(answer[0], answer[1], ()) for answer in answers]
    [annotation], tally = voted(schema, *given)
    assert annotation.instance.id == "annotation/toy/b"
    assert annotation.instance.relation == relation
    assert annotation.confidence == pytest.approx(confidence)
    usable = sum(answer is not None for answer in answers)
    assert (tally.wanted, tally.requested, tally.kept, tally.surplus) == (1, 3, 1, usable - 1)
    assert Counter(r.reason for r in tally.rejects) == Counter(["no_answer"] * (3 - usable))


def test_triggers_are_those_of_a_vote_for_the_relation(schema):
    [annotation], _ = voted(
        schema, good("none", 9, ()), good("knows", 9, ("saw",)), good("knows", 9, ("Bo",))
    )
    assert annotation.instance.triggers == ("saw",)


def test_a_row_without_a_usable_vote_is_not_annotated(schema):
    bad = good("knows", 900, ())
    annotations, tally = voted(schema, bad, None, bad)
    assert annotations == [] and (tally.kept, tally.surplus, len(tally.rejects)) == (0, 0, 3)


def test_unusable_votes_are_retried(schema, prompt):
    def answer(request):
        usable = request.attempt or not request.id.endswith("vote-2")
        return good("knows", 60, ("saw",)) if usable else cut_off(request)

    model = Scripted(answer)
    responses = annotate(model, [BO], SUPPORT, schema, prompt, VOTES, RETRY)
    assert [i.rpartition("/")[2] for i in model.asked] == ["b", "vote-2", "vote-3", "vote-2"]
    [annotation], tally = keep_annotations([BO], attempts_by_request(responses), schema, votes=3)
    assert annotation.confidence == 1 and (tally.requested, len(tally.rejects)) == (4, 1)


def test_annotations_have_a_cost_estimate_of_their_own(schema, prompt):
    requests = annotation_requests([ADA, BO], [], schema, prompt, PARAMS)
    [planned] = estimate(requests, requests[1:], [], lambda requests: None)
    assert (planned.kind, planned.requests, planned.asked) == ("annotation", 2, 1)


def replayed(folder: CorpusFolder, corpus: CorpusParams, prompt: str):
    """Pool of a corpus with the recorded annotations: rows, annotations, tally."""
    schema, path = folder.schema(), folder.find("annotations.jsonl")
    pool = read_pool(folder.read, schema, corpus)
    replay = Replay([ResponseStore(path)], "claude", strict=False)
    responses = annotate(replay, pool, [], schema, prompt, PARAMS, RETRY)
    return pool, *keep_annotations(pool, attempts_by_request(responses), schema)


def test_recorded_annotations_of_the_demo_corpus(newsroom, prompt):
    corpus = CorpusParams(
        format="native", train="train.jsonl", unlabelled={"file": "unlabelled.jsonl"}
    )
    folder = CorpusFolder("newsroom", [newsroom])
    pool, annotations, tally = replayed(folder, corpus, prompt)
    assert (tally.kept, tally.rejects) == (1012, [])
    ids = [f"annotation/newsroom/{row.id}" for row in pool]
    assert [a.instance.id for a in annotations] == ids
    assert sum(a.instance.relation == "no_relation" for a in annotations) == 817


def test_recorded_annotations_satisfy_their_schemas(newsroom, prompt):
    folder = CorpusFolder("newsroom", [newsroom])
    corpus = CorpusParams(
        format="native", train="train.jsonl", unlabelled={"file": "unlabelled.jsonl"}
    )
    pool = read_pool(folder.read, folder.schema(), corpus)
    answers = {
        record["request_id"]: record["response"]
        for record in map(json.loads, folder.read("annotations.jsonl").splitlines())
    }
    for request in annotation_requests(pool, [], folder.schema(), prompt, PARAMS):
        assert not list(Draft202012Validator(request.schema).iter_errors(answers[request.id]))


def test_recorded_annotations_of_semeval(shared, prompt):
    folder = CorpusFolder("semeval2010_task8", [shared / "semeval2010_task8"])
    corpus = CorpusParams(
        format="semeval", train="TRAIN_FILE.TXT", unlabelled={"train_ids": "unlabelled_ids.txt"}
    )
    _, annotations, tally = replayed(folder, corpus, prompt)
    assert (len(annotations), tally.kept, tally.rejects) == (2400, 2400, [])
    assert sum(a.confidence >= 0.9 for a in annotations) == 1018
