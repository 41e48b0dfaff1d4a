from __future__ import annotations

import json

import pytest

from tests.conftest import instance
from tests.generation.scripted import Scripted, cut_off, unreachable
from tkre.generation.explanations import (
    explain,
    explanation_requests,
    keep_explanations,
    verbatim_triggers,
)
from tkre.generation.llm.protocol import Response, Sampling, attempts_by_request
from tkre.generation.params import ExplanationParams, RetryParams

RETRY = RetryParams(attempts=3)
PARAMS = ExplanationParams(sampling=Sampling(), max_words=30)
SUPPORT = [
    instance("<head>Ada</head> lives in <tail>Rome</tail>.", "lives_in", id="a"),
    instance("<head>Ada</head> saw <tail>Bo</tail>.", "none", id="b"),
]


@pytest.fixture(scope="module")
def prompt(root):
    return (root / "conf/base/prompts/explanation.txt").read_text(encoding="utf-8")


def keep(schema, **answers):
    responses = {
        f"explanation/toy/{i}": [Response(f"explanation/toy/{i}", answer=a)]
        for i, a in answers.items()
    }
    return keep_explanations(SUPPORT, responses, schema, PARAMS)


def good(text="Ada lives in Rome, it says.", triggers=("lives in",)):
    return {"explanation": text, "triggers": list(triggers)}


def test_one_request_per_instance_without_its_label(schema, prompt):
    positive, negative = explanation_requests(SUPPORT, schema, prompt, PARAMS)
    assert [positive.id, negative.id] == ["explanation/toy/a", "explanation/toy/b"]
    user = positive.messages[-1]["content"]
    assert "<head>Ada</head> lives in <tail>Rome</tail>." in user
    assert schema.relations["lives_in"].definition in user
    assert "lives_in" not in json.dumps(positive.messages)
    asked = negative.messages[-1]["content"]
    assert "none of these relations: lives in, is the home of, is acquainted with" in asked


def test_explanations_are_added_to_their_instances(schema):
    explained, tallies = keep(
        schema, a=good("Ada  lives\nin Rome, it says."), b=good("Ada and Bo.")
    )
    assert explained[0].explanation == "Ada lives in Rome, it says."
    assert explained[0].triggers == ("lives in",)
    assert [(t.wanted, t.kept) for n, t in tallies.items() if t.wanted] == [(1, 1), (1, 1)]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (good("Ada"), "empty"),
        (good("Ada Rome " * 20), "too_long"),
        (good("She lives in Rome, it says."), "mention_missing"),
        (good("Ada is lives_in of Rome."), "label_spelled_out"),
        ({"explanation": 3, "triggers": []}, "wrong_schema"),
        ({"explanation": "Ada lives in Rome"}, "wrong_schema"),
        ({}, "wrong_schema"),
    ],
)
def test_rejected_explanations_are_recorded_and_left_out(schema, answer, reason):
    explained, tallies = keep(schema, a=answer, b=good("Ada and Bo."))
    [reject] = tallies["lives_in"].rejects
    assert (reject.reason, reject.request_id) == (reason, "explanation/toy/a")
    assert explained[0] == SUPPORT[0]
    assert (tallies["lives_in"].answered, tallies["lives_in"].kept) == (1, 0)


def test_missing_answer_is_a_reject(schema):
    explained, tallies = keep(schema, b=good("Ada and Bo."))
    [reject] = tallies["lives_in"].rejects
    assert (reject.reason, tallies["lives_in"].answered) == ("no_answer", 0)
    assert len(explained) == 2


def test_failed_attempt_is_recorded_and_the_next_one_used(schema):
    key = "explanation/toy/a"
    attempts = [
        Response(key, reason="truncated", error="cut off at 9 tokens", text='{"expl'),
        Response(key, answer=good("She lives in Rome, it says.")),
        Response(key, answer=good()),
        Response(key, answer=good("Ada and Rome, but too late.")),
    ]
    explained, tallies = keep_explanations(SUPPORT[:1], {key: attempts}, schema, PARAMS)
    assert explained[0].explanation == good()["explanation"]
    tally = tallies["lives_in"]
    assert (tally.wanted, tally.requested, tally.answered, tally.kept) == (1, 3, 2, 1)
    cut, missing = tally.rejects
    assert (cut.reason, cut.detail, cut.text) == ("truncated", "cut off at 9 tokens", '{"expl')
    assert missing.reason == "mention_missing" and "She lives" in missing.text


def test_only_unusable_explanations_are_retried(schema, prompt):
    def forgets_the_head(request):
        if request.id.endswith("b"):
            return cut_off(request) if request.attempt < 1 else good("Ada and Bo.")
        return good() if request.attempt == 2 else good("She lives in Rome, it says.")

    model = Scripted(forgets_the_head)
    responses = explain(model, SUPPORT, schema, prompt, PARAMS, RETRY)
    assert [i[-1] for i in model.asked] == ["a", "b", "a", "b", "a"]
    assert model.requests[2].sampling != model.requests[0].sampling
    explained, tallies = keep_explanations(SUPPORT, attempts_by_request(responses), schema, PARAMS)
    assert [i.explanation for i in explained] == [good()["explanation"], "Ada and Bo."]
    assert (tallies["lives_in"].requested, tallies["none"].requested) == (3, 2)
    assert [r.reason for r in tallies["none"].rejects] == ["truncated"]


def test_explanation_retries_are_bounded(schema, prompt):
    model = Scripted(cut_off)
    responses = explain(model, SUPPORT, schema, prompt, PARAMS, RETRY)
    assert len(model.asked) == len(responses) == 6
    explained, tallies = keep_explanations(SUPPORT, attempts_by_request(responses), schema, PARAMS)
    assert explained == SUPPORT
    assert [r.reason for r in tallies["lives_in"].rejects] == ["truncated"] * 3
    model = Scripted(unreachable)
    responses = explain(model, SUPPORT, schema, prompt, PARAMS, RETRY)
    assert len(model.asked) == 2
    _, tallies = keep_explanations(SUPPORT, attempts_by_request(responses), schema, PARAMS)
    [reject] = tallies["lives_in"].rejects
    assert (reject.reason, reject.detail) == ("unreachable", "connection refused")


def test_triggers_are_verbatim():
    assert verbatim_triggers("he ran away", ["ran", "walked", "", 3, "away"]) == ("ran", "away")
