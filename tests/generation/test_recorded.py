"""Recorded answers whose question has changed since, or that belong to no question."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.conftest import instance
from tkre.core.schema import RelationSchema
from tkre.generation import annotation, explanations, synthesis
from tkre.generation.llm.lock import AnswerLock, AnswerLockError
from tkre.generation.llm.protocol import Response
from tkre.generation.llm.replay import MissingResponse, Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.recorded import Subjects, compare

ROWS = [
    instance("<head>Ada</head> lives in <tail>Rome</tail>.", "lives_in", id="a"),
    instance("<head>Ada</head> saw <tail>Bo</tail>.", "none", id="b"),
]
POOL = [instance("<head>Zo\u00eb</head> left <tail>Bo</tail>.", id="line-1/1")]
IDS = ["explanation/toy/a", "explanation/toy/b", "annotation/toy/line-1/1",
       "annotation/toy/line-1/1/vote-2", "classification/toy/seed-13/a",
       "synthesis/toy/lives_in/seed-13/round-0",
       "synthesis/toy/lives_in/zero-shot/round-1"]  # fmt: skip


def redefined(schema, name, **changes) -> RelationSchema:
    relation = schema.relations[name].model_copy(update=changes)
    return schema.model_copy(update={"relations": {**schema.relations, name: relation}})


def stale(before: Subjects, after: Subjects) -> set[str]:
    return {i for i in IDS if before.of(i) != after.of(i)}


def test_what_makes_an_answer_stale(schema):
    now = Subjects(schema, ROWS, POOL)
    assert all(now.of(i) for i in IDS)
    edited = [instance("<head>Ada</head> lived in <tail>Rome</tail>.", "lives_in", id="a"), ROWS[1]]
    assert stale(now, Subjects(schema, edited, POOL)) == {IDS[0], IDS[4]}
    mentions = instance("<head>Ada lives</head> in <tail>Rome</tail>.", "lives_in", id="a")
    assert stale(now, Subjects(schema, [mentions, ROWS[1]], POOL)) == {IDS[0], IDS[4]}
    swapped = [replace(ROWS[0], relation="none"), replace(ROWS[1], relation="lives_in")]
    assert stale(now, Subjects(schema, swapped, POOL)) == {IDS[0], IDS[1]}
    text = [instance("<head>Zo\u00eb</head> met <tail>Bo</tail>.", id="line-1/1")]
    assert stale(now, Subjects(schema, ROWS, text)) == {IDS[2], IDS[3]}
    other = redefined(schema, "lives_in", definition="The tail is where the head lives.")
    # The negative row was explained without this definition; sentences to label see all of them.
    assert stale(now, Subjects(other, ROWS, POOL)) == {*IDS} - {IDS[1]}


def test_what_does_not(schema):
    now = Subjects(schema, ROWS, POOL)
    decomposed = [instance("<head>Zoe\u0308</head> left <tail>Bo</tail>.", id="line-1/1")]
    assert not stale(now, Subjects(schema, ROWS, decomposed))
    more = [*ROWS, instance("<head>Cy</head> saw <tail>Bo</tail>.", "none", id="c")]
    assert not stale(now, Subjects(schema, more, POOL))
    kept = redefined(schema, "lives_in", forms=("{head} has a flat in {tail}.",))
    assert not stale(now, Subjects(kept, ROWS, POOL))


def test_requests_and_ids_have_the_same_subject(schema, root):
    prompts = root / "conf/base/prompts"
    read = {k: (prompts / f"{k}.txt").read_text("utf-8") for k in ("explanation", "annotation")}
    from tkre.generation.llm.protocol import Sampling
    from tkre.generation.params import AnnotationParams, ExplanationParams

    subjects = Subjects(schema, ROWS, POOL)
    asked = explanations.explanation_requests(
        ROWS, schema, read["explanation"], ExplanationParams(sampling=Sampling())
    )
    asked += annotation.annotation_requests(
        POOL, [], schema, read["annotation"], AnnotationParams(votes=2)
    )
    assert [r.subject for r in asked] == [subjects.of(r.id) for r in asked]
    assert len({r.id for r in asked} & {*IDS}) == 4
    assert subjects.of(IDS[5]) == synthesis.subject("lives_in", schema)


def store(tmp_path, *records) -> ResponseStore:
    path = tmp_path / "recordings.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
    return ResponseStore(path, AnswerLock(tmp_path / "answers.lock.json"))


def answered(request_id, **more):
    return {
        "request_id": request_id,
        "response": {"explanation": "Ada, Rome", "triggers": []},
    } | more


def test_orphans_are_named_with_what_was_meant(schema, tmp_path):
    wrong = ["explanation/toy/aa", "explanation/tox/a", "synthesis/toy/livesin/seed-1/round-0",
             "synthesis/toy/lives_in/round-0", "annotation/toy/line-1/2", "a"]  # fmt: skip
    found = compare([store(tmp_path, *map(answered, [*wrong, IDS[0]]))],
                    Subjects(schema, ROWS, POOL))  # fmt: skip
    assert (found.current, len(found.orphans), found.stale) == (1, len(wrong), [])
    lines = [f"{place}: {message}" for place, message, _ in found.problems()]
    assert "recordings.jsonl, line 1: explanation/toy/aa answers no question" in lines[0]
    assert "(did you mean 'a'?)" in lines[0] and "(did you mean 'lives_in'?)" in lines[2]
    assert found.words() == "1 of 7 answer the corpus as it is, 6 orphans"


def test_an_answer_is_bound_at_its_first_use_and_stale_after_an_edit(schema, tmp_path):
    before = Subjects(schema, ROWS, POOL)
    answers = store(tmp_path, *map(answered, IDS))
    first = compare([answers], before)
    assert len(first.unbound) == len(IDS) == first.current
    answers.lock.bind(first.unbound, "digest of the corpus")
    assert not compare([answers], before).unbound
    edited = [instance("<head>Ada</head> hates <tail>Rome</tail>.", "lives_in", id="a"), ROWS[1]]
    after = Subjects(schema, edited, POOL)
    found = compare([store(tmp_path, *map(answered, IDS))], after)  # another process
    assert [r.request_id for _, r, _ in found.stale] == [IDS[0], IDS[4]]
    assert found.stale[0][2] == "the sentence or its mentions changed"
    # A correction is appended; the answer before it is history.
    newer = answered(IDS[0]) | {"response": {"explanation": "Ada, Rome!", "triggers": []}}
    found = compare([store(tmp_path, *map(answered, IDS), newer)], after)
    assert [r.request_id for _, r, _ in found.stale] == [IDS[4]] and len(found.unbound) == 1
    # An answer that says what it was given to needs no lock.
    signed = [
        answered(IDS[0], subject=before.of(IDS[0])),
        answered(IDS[1], subject=before.of(IDS[1])),
    ]
    found = compare([store(tmp_path, *signed)], after)
    assert [r.request_id for _, r, _ in found.stale] == [IDS[0]]


def test_replay_refuses_stale_answers_unless_told_otherwise(schema, root, tmp_path):
    from tests.generation.test_protocol import REQUEST

    old = "aaaaaaaaaaaa-bbbbbbbbbbbb"
    answers = store(tmp_path, {"request_id": REQUEST.id, "response": {"text": "yes"},
                               "subject": old})  # fmt: skip
    same, other = (replace(REQUEST, subject=s) for s in (old, "aaaaaaaaaaaa-cccccccccccc"))
    model = Replay([answers], "m", strict=False)
    assert model.holds(same) and not model.can_answer(other)
    with pytest.raises(
        MissingResponse, match=r"stale: .*the relation or its definition changed"
    ) as e:
        list(model.generate([other]))
    assert "stale: use" in str(e.value)
    assert Replay([answers], "m", strict=False, stale=True).holds(other)
    # The digest of a request covers its words: the answer is that of this very question.
    exact = ResponseStore()
    exact.append(
        Response(REQUEST.id, answer={"text": "yes"}, digest=REQUEST.digest("m"), subject=old)
    )
    assert Replay([exact], "m", strict=True).holds(other)


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"a": 1}', '{"a": {"b": {"c": 1}}}', "[" * 10_000,
             '{"a": {}, "a": {}}', '{"a": {"b": {"c": "d", "c": "e"}}}', '{"a": NaN}'],
)  # fmt: skip
def test_a_damaged_lock_is_named(tmp_path, text):
    path = tmp_path / "answers.lock.json"
    path.write_text(text, "utf-8")
    with pytest.raises(AnswerLockError, match=r"answers\.lock\.json is damaged .*restore it"):
        AnswerLock(path)


def test_shipped_answers_are_bound(newsroom):
    lock = AnswerLock(newsroom / "answers.lock.json")
    for file in ("recordings.jsonl", "annotations.jsonl"):
        assert all(lock.subject(response) for response in ResponseStore(newsroom / file).all())
