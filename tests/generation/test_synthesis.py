from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.conftest import instance
from tests.generation.scripted import Scripted, cut_off, unreachable
from tkre.generation.llm.protocol import Response, Sampling, attempts_by_request
from tkre.generation.llm.replay import MissingResponse, Replay
from tkre.generation.llm.store import ResponseStore
from tkre.generation.params import RetryParams, SynthesisParams
from tkre.generation.synthesis import (
    SynthesisTask,
    keep_sentences,
    request_id,
    synthesis_request,
    write_sentences,
)

RETRY = RetryParams(attempts=3)
PARAMS = SynthesisParams(sampling=Sampling(), per_request=2, demonstrations=1, extra_rounds=2)
SUPPORT = [
    instance("<head>Ada</head> lives in <tail>Rome</tail> with her three old cats.", "lives_in"),
    instance("<head>Bo</head> has a home in <tail>Oslo</tail> since he was born.", "lives_in"),
]
TYPES = {"lives_in": ("person", "place"), "home_of": ("place", "person"),
         "knows": ("person", "person"), "none": ("person", "place")}  # fmt: skip


@pytest.fixture
def task(schema):
    return SynthesisTask(
        schema=schema, seed=13, wanted=2, support=SUPPORT, head_first=False,
        forbidden={"the test set": ["Nobody at all ever comes to this place by night."]},
    )  # fmt: skip


@pytest.fixture(scope="module")
def prompt(root):
    return (root / "conf/base/prompts/synthesis.txt").read_text(encoding="utf-8")


def sample(relation: str, key: str, **change: object) -> dict[str, object]:
    words = " ".join(f"{relation}{key}{n}" for n in range(6))  # like no other sentence
    head, tail = TYPES[relation]
    good = {"sentence": f"<head>H</head> {words} <tail>T</tail>", "head_type": head,
            "tail_type": tail, "triggers": [f"{relation}{key}0", "invented"]}  # fmt: skip
    return good | change


def relation_of(request) -> str:
    return request.id.split("/")[2]


def answers(request):
    return {"samples": [sample(relation_of(request), f"{request.id[-1]}{n}") for n in range(2)]}


PLANNED = {"attributes": {"topic": ["law", "sport", "art"], "voice": ["passive"]}, "implicit": 0.25}


def plan_lines(task, prompt, number: int = 0, relation: str = "knows", attempt: int = 0):
    """Lines of the plan in a request for eight sentences."""
    params = PARAMS.model_validate(PARAMS.model_dump() | PLANNED | {"per_request": 8})
    request = synthesis_request(task, relation, number, prompt, params, attempt=attempt)
    _, _, plan = request.messages[-1]["content"].partition("by this plan")
    return plan.splitlines()[1:]


def test_each_sentence_is_asked_for_with_attributes_of_its_own(task, prompt):
    lines = plan_lines(task, prompt)
    assert [line.split(".")[0] for line in lines] == list("12345678")
    topics = [line.split("topic: ")[1].split(";")[0] for line in lines]
    assert sorted(topics.count(topic) for topic in ("law", "sport", "art")) == [2, 3, 3]
    assert all("; voice: passive" in line for line in lines)
    assert sum("is implied" in line for line in lines) == 2


def test_a_plan_is_that_of_its_request(task, prompt):
    first = plan_lines(task, prompt)
    assert plan_lines(task, prompt, attempt=1) == first
    assert plan_lines(task, prompt, number=1) != first
    assert plan_lines(task, prompt, relation="lives_in") != first


def test_no_plan_without_attributes_or_for_the_negative_relation(task, prompt):
    assert plan_lines(task, prompt, relation="none") == []
    request = synthesis_request(task, "knows", 0, prompt, PARAMS)
    assert request.messages[-1]["content"].endswith("from its head to its tail.")


def test_synthesis_request(task, prompt):
    request = synthesis_request(task, "lives_in", 0, prompt, PARAMS)
    text = request.messages[-1]["content"]
    assert request.id == "synthesis/toy/lives_in/seed-13/round-0"
    assert "<head>Ada</head> lives in <tail>Rome</tail>" in text and "Bo" not in text
    assert "Head types: person" in text and "write 2" in text.lower() and "batch" not in text
    assert request.schema["properties"]["samples"]["maxItems"] == 2
    later = synthesis_request(task, "lives_in", 1, prompt, PARAMS).messages[-1]["content"]
    assert "batch 2" in later
    negative = synthesis_request(task, "none", 0, prompt, PARAMS).messages[-1]["content"]
    assert "none of these relations holds" in negative and "person, place" in negative
    ordered = synthesis_request(replace(task, head_first=True), "knows", 0, prompt, PARAMS)
    assert "The head comes before the tail." in ordered.messages[-1]["content"]


def test_one_round_suffices_if_all_are_valid(task, prompt):
    model = Scripted(answers)
    responses = write_sentences(model, task, prompt, PARAMS, RETRY)
    assert len(model.asked) == 4 and all(i.endswith("round-0") for i in model.asked)
    kept, tallies = keep_sentences(attempts_by_request(responses), task, PARAMS)
    assert [i.relation for i in kept] == [r for r in task.schema.names for _ in range(2)]
    assert all((t.wanted, t.kept, t.rejects) == (2, 2, []) for t in tallies.values())
    assert kept[0].triggers == ("home_of000",)  # the invented one is not in the sentence


def test_extra_rounds_are_for_short_relations_and_bounded(task, prompt):
    def never_knows(request):
        if relation_of(request) == "knows":
            return {"samples": [sample("knows", "x", sentence="no tags here at all")] * 2}
        return answers(request)

    model = Scripted(never_knows)
    responses = write_sentences(model, task, prompt, PARAMS, RETRY)
    assert [i for i in model.asked if not i.endswith("round-0")] == [
        request_id("toy", "knows", 13, n) for n in (1, 2)
    ]
    _, tallies = keep_sentences(attempts_by_request(responses), task, PARAMS)
    knows = tallies["knows"]
    assert (knows.requested, knows.answered, knows.kept, len(knows.rejects)) == (6, 6, 0, 6)
    assert {r.reason for r in knows.rejects} == {"bad_tags"}


def test_several_rounds_and_surplus(task, prompt):
    model = Scripted(answers)
    large = replace(task, wanted=5)
    kept, tallies = keep_sentences(
        attempts_by_request(write_sentences(model, large, prompt, PARAMS, RETRY)), large, PARAMS
    )
    assert len(model.asked) == 4 * 3
    assert (tallies["knows"].kept, tallies["knows"].surplus) == (5, 1)
    few = write_sentences(Scripted(answers), task, prompt, PARAMS, RETRY)
    small, _ = keep_sentences(attempts_by_request(few), task, PARAMS)
    assert {i.id for i in small} < {i.id for i in kept}  # nested, like the support


def test_replay_needs_no_extra_rounds(task, prompt):
    def one_bad(request):
        bad = sample(relation_of(request), "bad", sentence="<head>H</head> no tail here")
        return {"samples": [bad, *answers(request)["samples"][:1]]}

    store = ResponseStore()
    for response in Scripted(one_bad).generate(
        [synthesis_request(task, n, 0, prompt, PARAMS) for n in task.schema.names]
    ):
        store.append(response)
    responses = write_sentences(Replay([store], "m", strict=False), task, prompt, PARAMS, RETRY)
    _, tallies = keep_sentences(attempts_by_request(responses), task, PARAMS)
    assert [t.kept for t in tallies.values()] == [1, 1, 1, 1]
    with pytest.raises(MissingResponse, match="round-1"):
        write_sentences(
            Replay([store], "m", strict=False), replace(task, wanted=3), prompt, PARAMS, RETRY
        )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"sentence": "<head>H</head> without its tail in it"}, "bad_tags"),
        ({"sentence": "<head>a <tail>b</tail></head> c d e f"}, "overlap"),
        ({"sentence": "<head>H</head> <tail>T</tail>"}, "length"),
        ({"sentence": "<head>H</head> <tail>T</tail>" + " word" * 70}, "length"),
        ({"head_type": "place"}, "type"),
        ({"head_type": "animal"}, "type"),
        ({"tail_type": None}, "type"),
        ({"sentence": 3}, "wrong_schema"),
        ({"sentence": "<head>Ada</head> lives in <tail>Rome</tail> with her three old cats!"},
         "near_duplicate"),
        ({"sentence": "<head>Nobody</head> at all ever comes to this <tail>place</tail> by night"},
         "near_duplicate"),
    ],
)  # fmt: skip
def test_reasons_of_rejected_sentences(task, change, reason):
    task = replace(task, forbidden={**task.forbidden, "support": [i.text for i in SUPPORT]})
    response = Response(
        request_id("toy", "lives_in", 13, 0),
        answer={"samples": [sample("lives_in", "a", **change), sample("lives_in", "b")]},
    )
    kept, tallies = keep_sentences(attempts_by_request([response]), task, PARAMS)
    assert len(kept) == 1
    [reject] = tallies["lives_in"].rejects
    assert reject.reason == reason
    assert reject.text == str(change.get("sentence", sample("lives_in", "a")["sentence"]))


def test_head_first_corpora(task):
    turned = sample("knows", "a", sentence="<tail>T</tail> and also six more <head>H</head>")
    response = Response(request_id("toy", "knows", 13, 0), answer={"samples": [turned]})
    assert len(keep_sentences(attempts_by_request([response]), task, PARAMS)[0]) == 1
    strict = replace(task, head_first=True)
    _, tallies = keep_sentences(attempts_by_request([response]), strict, PARAMS)
    assert tallies["knows"].rejects[0].reason == "order"


def test_near_duplicates_of_synthetic_sentences_are_rejected(task):
    response = Response(
        request_id("toy", "knows", 13, 0), answer={"samples": [sample("knows", "a")] * 2}
    )
    kept, tallies = keep_sentences(attempts_by_request([response]), task, PARAMS)
    assert len(kept) == 1
    assert "another synthetic sentence" in tallies["knows"].rejects[0].detail


@pytest.mark.parametrize("answer", [{}, {"samples": "none"}, {"samples": None}])
def test_answers_with_a_wrong_schema(task, answer):
    response = Response(request_id("toy", "knows", 13, 0), answer=answer)
    _, tallies = keep_sentences(attempts_by_request([response]), task, PARAMS)
    assert tallies["knows"].rejects[0].reason == "wrong_schema"
    assert json.dumps([r.detail for r in tallies["knows"].rejects])


def test_missing_answers_are_recorded(task):
    failed = Response(
        request_id("toy", "knows", 13, 0), reason="truncated", error="cut off", text='{"sampl'
    )
    _, tallies = keep_sentences(attempts_by_request([failed]), task, PARAMS)
    [reject] = tallies["knows"].rejects
    assert (reject.reason, reject.detail, reject.text) == ("truncated", "cut off", '{"sampl')
    old = Response(request_id("toy", "knows", 13, 0), error="cut off")  # as stores used to be
    _, tallies = keep_sentences(attempts_by_request([old]), task, PARAMS)
    assert tallies["knows"].rejects[0].reason == "no_answer"


def test_failed_attempts_are_counted(task, prompt):
    def stumbles(request):
        if relation_of(request) == "knows" and request.attempt < 2:
            return "no JSON" if request.attempt else cut_off(request)
        return answers(request)

    model = Scripted(stumbles)
    responses = attempts_by_request(write_sentences(model, task, prompt, PARAMS, RETRY))
    assert [r.attempt for r in model.requests] == [0] * 4 + [1, 2]
    kept, tallies = keep_sentences(responses, task, PARAMS)
    assert len(kept) == 8 and len({i.id for i in kept}) == 8
    knows = tallies["knows"]
    assert (knows.requested, knows.answered, knows.kept) == (6, 2, 2)
    assert [r.reason for r in knows.rejects] == ["truncated", "not_json"]
    assert tallies["none"].requested == 2 and tallies["none"].rejects == []


def test_retries_rotate_demonstrations(task, prompt):
    third = instance("<head>Cy</head> settled down in <tail>Nome</tail> at last.", "lives_in")
    large = replace(task, support=[*SUPPORT, third])
    params = PARAMS.model_copy(update={"demonstrations": 2})
    model = Scripted(lambda r: cut_off(r) if relation_of(r) == "lives_in" else answers(r))
    write_sentences(model, large, prompt, params, RETRY)
    asked = [
        r.messages[-1]["content"] for r in model.requests if "lives_in/seed-13/round-0" in r.id
    ]
    assert [t.find("Ada") < t.find("Bo") for t in asked] == [True, False, True]
    assert all("Ada" in t and "Bo" in t and "Cy" not in t for t in asked)
    assert len({tuple(sorted(t.splitlines())) for t in asked}) == 1
    again = synthesis_request(large, "lives_in", 0, prompt, params, attempt=1)
    assert again.messages[-1]["content"] == asked[1]
    bare = synthesis_request(large, "knows", 0, prompt, params, attempt=1)  # nothing to turn
    assert "(none)" in bare.messages[-1]["content"]


@pytest.mark.parametrize(("fails", "attempts"), [(cut_off, 3), (unreachable, 1)])
def test_synthesis_retries_are_bounded(task, prompt, fails, attempts):
    model = Scripted(fails)
    responses = write_sentences(model, task, prompt, PARAMS, RETRY)
    rounds = 1 + PARAMS.extra_rounds
    assert len(model.asked) == len(responses) == rounds * 4 * attempts
    assert len(set(model.asked)) == rounds * 4
    _, tallies = keep_sentences(attempts_by_request(responses), task, PARAMS)
    assert [(t.requested, t.kept) for t in tallies.values()] == [(2 * rounds * attempts, 0)] * 4
    assert len({r.reason for t in tallies.values() for r in t.rejects}) == 1


def test_no_wanted_sentences_no_requests(task, prompt):
    model = Scripted(answers)
    assert write_sentences(model, replace(task, wanted=0), prompt, PARAMS, RETRY) == []
    assert model.asked == []


def test_untyped_corpora(task):
    plain = task.schema.model_copy(update={
        "entity_types": (),
        "relations": {n: r.model_copy(update={"head_types": (), "tail_types": ()})
                      for n, r in task.schema.relations.items()},
    })  # fmt: skip
    response = Response(
        request_id("toy", "knows", 13, 0),
        answer={"samples": [sample("knows", "a", head_type="", tail_type="")]},
    )
    [kept], _ = keep_sentences(attempts_by_request([response]), replace(task, schema=plain), PARAMS)
    assert (kept.head_type, kept.tail_type) == (None, None)


@pytest.mark.parametrize("seed", [13, 21, 42])
def test_semeval_recordings_are_valid(root, shared, seed):
    import yaml

    from tkre.core.schema import RelationSchema
    from tkre.corpora.formats import semeval_rows
    from tkre.corpora.sampling import sample_shots

    folder = root / "data/01_raw/semeval2010_task8"
    schema = RelationSchema.parse(yaml.safe_load((folder / "relations.yml").read_text()), "r")
    read = {
        split: [
            r() for _, r in semeval_rows((shared / "semeval2010_task8" / file).read_text(), split)
        ]
        for split, file in (("train", "TRAIN_FILE.TXT"), ("test", "TEST_FILE_FULL.TXT"))
    }
    shots = sample_shots(read["train"], [], schema, shots=8, seed=seed)
    task = SynthesisTask(
        schema=schema, seed=seed, wanted=32, support=shots.support, head_first=True,
        forbidden={"test": [i.text for i in read["test"]],
                   "support": [i.text for i in shots.support]},
    )  # fmt: skip
    params = SynthesisParams(sampling=Sampling())
    prompt = (root / "conf/base/prompts/synthesis.txt").read_text(encoding="utf-8")
    replay = Replay([ResponseStore(folder / "recordings.jsonl")], "m", strict=False)
    kept, tallies = keep_sentences(
        attempts_by_request(write_sentences(replay, task, prompt, params, RETRY)), task, params
    )
    assert len(kept) + sum(len(t.rejects) for t in tallies.values()) == 19 * 32
    assert len(kept) >= 0.99 * 19 * 32
